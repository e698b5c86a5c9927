#include "text/vocabulary.h"

#include "text/unicode.h"

namespace molt {

Vocabulary::Vocabulary(const JsonField& field) : table_(field.object().size()) {
  const Json& entries = field.object();
  if (entries.empty()) field.fail("is empty; expected tokens with their ids");
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
  letters_.reserve(letters);  // no view may move
  tokens_.resize(static_cast<size_t>(largest) + 1);
  for (const auto& [token, id] : entries.items()) {
    const size_t begin = letters_.size();
    letters_ += token;
    const auto view = std::string_view(letters_).substr(begin);
    const auto number = id.get<int32_t>();
    if (tokens_[number].data())
      field.fail("gives the id " + std::to_string(number) + " to \"" +
                 std::string(tokens_[number]) + "\" and to \"" + token + "\"");
    tokens_[number] = view;
    table_.add(view, number);
  }
}

bool Vocabulary::has(int32_t id) const {
  return id >= 0 && id < size() && tokens_[id].data() != nullptr;
}

std::string_view Vocabulary::token(int32_t id) const {
  return has(id) ? tokens_[id] : std::string_view();
}

}  // namespace molt
