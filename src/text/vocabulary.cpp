#include "text/vocabulary.h"

#include "text/unicode.h"

namespace mixtune {

Vocabulary::Vocabulary(const JsonField& field)
    : table_(field.is_list() ? field.size() : field.object().size()) {
  if ((field.is_list() ? field.list() : field.object()).empty())
    field.fail("is empty; expected tokens with their ids");
  if (field.is_list())
    read_list(field);
  else
    read_ids(field);
}

void Vocabulary::read_ids(const JsonField& field) {
  const Json& entries = field.object();
  size_t letters = 0;
  int64_t largest = 0;
  for (const auto& [token, id] : entries.items()) {
    if (!id.is_number_integer() || id < 0 || id > kLargestTokenId)
      field.fail("gives \"" + token + "\" the id " +
                 id.dump(-1, ' ', true, Json::error_handler_t::replace) +
                 "; expected a whole number from 0 to " + std::to_string(kLargestTokenId));
    letters += token.size();
    largest = std::max(largest, id.get<int64_t>());
  }
  letters_.reserve(letters);  // the views must stay valid
  tokens_.resize(static_cast<size_t>(largest) + 1);
  for (const auto& [token, id] : entries.items()) add(token, id.get<int32_t>(), field);
}

void Vocabulary::read_list(const JsonField& field) {
  if (field.size() > kLargestTokenId)
    field.fail("has " + std::to_string(field.size()) + " entries; expected at most " +
               std::to_string(kLargestTokenId));
  std::vector<std::string> tokens;
  size_t letters = 0;
  for (size_t id = 0; id < field.size(); ++id) {
    if (!field.at(id).is_list() || field.at(id).size() != 2)
      field.at(id).fail("is not a token with its score, such as [\"the\", -3.5]");
    tokens.push_back(field.at(id).at(0).string());
    letters += tokens.back().size();
  }
  letters_.reserve(letters);
  tokens_.resize(tokens.size());
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (table_.find(tokens[id]) >= 0)
      field.at(id).fail("is \"" + tokens[id] + "\", which is repeated");
    add(tokens[id], static_cast<int32_t>(id), field);
  }
}

void Vocabulary::add(const std::string& token, int32_t id, const JsonField& field) {
  const size_t begin = letters_.size();
  letters_ += token;
  const auto view = std::string_view(letters_).substr(begin);
  if (tokens_[id].data())
    field.fail("gives the id " + std::to_string(id) + " to \"" + std::string(tokens_[id]) +
               "\" and to \"" + token + "\"");
  tokens_[id] = view;
  table_.add(view, id);
}

bool Vocabulary::has(int32_t id) const {
  return id >= 0 && id < size() && tokens_[id].data() != nullptr;
}

std::string_view Vocabulary::token(int32_t id) const {
  return has(id) ? tokens_[id] : std::string_view();
}

}  // namespace mixtune
