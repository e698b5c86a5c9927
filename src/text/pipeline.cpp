#include "text/pipeline.h"

#include <algorithm>

#include "base/error.h"
#include "text/truncation.h"
#include "text/unicode.h"

namespace mixtune {
namespace {

constexpr size_t kLongestText =
    size_t{1} << 30;  // offsets are 32 bits, and normalization may lengthen a text

template <typename Part, typename Read>
Part read_or(const JsonField& file, const std::string& key, Part fallback, Read read) {
  const auto field = file.find(key);
  return field ? read(*field) : std::move(fallback);
}

// Files from before 2022 have no model type; it is inferred from the model's keys.
std::string model_type(const JsonField& model) {
  if (const auto type = model.find("type")) return type->string();
  if (model.find("merges")) return "BPE";
  if (model.find("continuing_subword_prefix")) return "WordPiece";
  if (model.find("unk_id")) return "Unigram";
  return "a model without a type";
}

// Rejects other model types before anything else is read.
JsonField checked_model(const JsonField& model) {
  const std::string type = model_type(model);
  if (type != "WordPiece" && type != "BPE" && type != "Unigram")
    model.reject(type, "WordPiece, BPE or Unigram");
  const JsonField vocabulary = model.at("vocab");
  if (type == "Unigram")
    vocabulary.list();
  else
    vocabulary.object();
  return model;
}

std::unique_ptr<const TokenizerModel> read_model(const JsonField& model,
                                                 const Vocabulary& vocabulary, bool byte_level) {
  const std::string type = model_type(model);
  if (type == "BPE")
    return byte_level ? read_byte_pairs(model, vocabulary)
                      : read_character_pairs(model, vocabulary);
  if (byte_level)
    model.reject(type + " behind a ByteLevel pre-tokenizer",
                 "BPE behind a ByteLevel pre-tokenizer");
  return type == "Unigram" ? read_unigram(model, vocabulary) : read_word_piece(model, vocabulary);
}

// Maps byte offsets to code-point offsets, for offsets at character boundaries.
std::vector<uint32_t> code_points_before(std::string_view text) {
  std::vector<uint32_t> out(text.size() + 1);
  uint32_t count = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    out[i] = count;
    if (i + 1 == text.size() || !is_continuation(text[i + 1])) ++count;
  }
  out[text.size()] = count;
  return out;
}

// Code-point offset to byte offset: the way back.
std::vector<uint32_t> bytes_before(std::string_view text) {
  std::vector<uint32_t> out;
  for (size_t i = 0; i < text.size(); ++i)
    if (!is_continuation(text[i])) out.push_back(static_cast<uint32_t>(i));
  out.push_back(static_cast<uint32_t>(text.size()));
  return out;
}

void count_in(const std::vector<uint32_t>& unit, std::vector<Span>& spans) {
  for (Span& span : spans) span = {unit[span.begin], unit[span.end]};
}

}  // namespace

Pipeline::Pipeline(const JsonField& file, const std::map<TokenRole, std::string>& roles,
                   std::unique_ptr<const SentencePieces> pieces)
    : vocabulary_((pieces ? file.at("model") : checked_model(file.at("model"))).at("vocab")),
      normalizer_(
          read_or(file, "normalizer", std::unique_ptr<const Normalizer>(), read_normalizer)),
      added_(file.find("added_tokens"), vocabulary_, normalizer_.get()),
      pre_tokenizers_(read_or(file, "pre_tokenizer", PreTokenizers(), read_pre_tokenizers)),
      post_processor_(read_or(file, "post_processor", PostProcessor(), read_post_processor)),
      decoder_(read_or(file, "decoder", Decoder(), [](const JsonField& f) { return Decoder(f); })) {
  pieces_ = pieces.get();
  if (pieces)
    model_ = std::move(pieces);
  else
    model_ = read_model(file.at("model"), vocabulary_, pre_tokenizers_.byte_level);
  int32_t size = vocabulary_.size();
  for (const AddedToken& token : added_.tokens()) size = std::max(size, token.id + 1);
  spaces_.resize(size);
  for (int32_t id = 0; id < size; ++id) spaces_[id] = spaces_of(token(id));
  check_ids(file);
  find_roles(roles);
}

void Pipeline::check_ids(const JsonField& file) const {
  for (const Template* pattern : {&post_processor_.single, &post_processor_.pair})
    for (const TemplateItem& item : *pattern)
      for (int32_t id : item.ids)
        if (token(id).empty())
          file.at("post_processor")
              .fail("adds the id " + std::to_string(id) + ", which no token has");
}

Encoding Pipeline::encode(std::string_view first, std::optional<std::string_view> second,
                          const Tokenizer::Options& options) const {
  Sequence sequences[2];
  sequences[0] = tokenize(first, options.offsets);
  if (second) sequences[1] = tokenize(*second, options.offsets);
  const Template& pattern = second ? post_processor_.pair : post_processor_.single;
  const int64_t added = options.add_special ? special_count(pattern) : 0;
  const TokenCounts all{static_cast<int64_t>(sequences[0].ids.size()),
                        static_cast<int64_t>(sequences[1].ids.size())};
  TokenCounts kept = all;
  if (options.max_length) {
    if (*options.max_length < added)
      throw UserError("max_length",
                      "is " + std::to_string(*options.max_length) + "; expected at least " +
                          std::to_string(added) + ", the number of special tokens",
                      "Raise max_length.");
    kept =
        truncated_counts(all, second.has_value(), *options.max_length - added, options.truncation);
  }

  Encoding out;
  const auto total = static_cast<size_t>(kept.first + kept.second + added);
  out.truncated = kept.first < all.first || kept.second < all.second;
  out.ids.reserve(total);
  out.type_ids.reserve(total);
  const bool has_offsets = options.offsets != OffsetUnit::kNone;
  if (has_offsets) out.offsets.reserve(total);
  for (const TemplateItem& item : pattern) {
    if (item.sequence < 0 && !options.add_special) continue;
    if (item.sequence < 0) {
      out.ids.insert(out.ids.end(), item.ids.begin(), item.ids.end());
      if (has_offsets) out.offsets.resize(out.ids.size());
    } else {
      const Sequence& source = sequences[item.sequence];
      const int64_t count = item.sequence == 0 ? kept.first : kept.second;
      out.ids.insert(out.ids.end(), source.ids.begin(), source.ids.begin() + count);
      if (has_offsets)
        out.offsets.insert(out.offsets.end(), source.offsets.begin(),
                           source.offsets.begin() + count);
    }
    out.type_ids.resize(out.ids.size(), item.type_id);
    out.special.resize(out.ids.size(), item.sequence < 0 ? 1 : 0);
  }
  return out;
}

Pipeline::Sequence Pipeline::tokenize(std::string_view text, OffsetUnit unit) const {
  if (text.size() > kLongestText)
    throw UserError("text", "has " + std::to_string(text.size()) + " bytes; expected at most 2^30",
                    "Split it into documents.");
  std::string repaired;
  const bool ascii = is_ascii(text);
  if (!ascii && !is_valid_utf8(text)) text = repaired = to_valid_utf8(text);

  const WorkspacePool::Loan loan(workspaces_);
  Workspace& work = *loan;
  Sequence out;
  const auto add_token = [&](int32_t id, std::string_view spelt, Span origin) {
    if (unit != OffsetUnit::kNone) {
      out.offsets.push_back(origin);
      out.added_spaces.emplace_back(out.ids.size(), spaces_of(spelt));
    }
    out.ids.push_back(id);
  };
  const auto part_of = [](std::string_view whole, Span span) {
    return whole.substr(span.begin, span.end - span.begin);
  };
  for (const auto& part : added_.in_original().parts(text)) {
    if (part.id >= 0) {
      add_token(part.id, part_of(text, part.span), part.span);
      continue;
    }
    work.text.assign(part_of(text, part.span), part.span.begin);
    if (normalizer_) normalizer_->apply(work.text);
    if (added_.in_normalized().empty()) {
      add_text(work.text, work, out, unit);
      continue;
    }
    for (const auto& inner : added_.in_normalized().parts(work.text.text)) {
      if (inner.id >= 0) {
        add_token(inner.id, part_of(work.text.text, inner.span), work.text.origin_of(inner.span));
        continue;
      }
      work.text.copy_part(inner.span, work.part);
      add_text(work.part, work, out, unit);
    }
  }

  if (out.offsets.empty()) return out;
  // Spaces are trimmed in characters: one that was put before the text stands for a character of
  // any number of bytes, and what is left of that is no part of it.
  const bool trims = !post_processor_.trimmings.empty();
  if (!ascii && (trims || unit == OffsetUnit::kCodePoints))
    count_in(code_points_before(text), out.offsets);
  trim(out);
  if (!ascii && trims && unit == OffsetUnit::kBytes) count_in(bytes_before(text), out.offsets);
  return out;
}

void Pipeline::trim(Sequence& sequence) const {
  for (const SpaceTrimming& trimming : post_processor_.trimmings) {
    auto added = sequence.added_spaces.begin();
    for (size_t i = 0; i < sequence.offsets.size(); ++i) {
      const bool is_added = added != sequence.added_spaces.end() && added->first == i;
      const TokenSpaces spaces = is_added ? (added++)->second : spaces_[sequence.ids[i]];
      sequence.offsets[i] = trimmed(sequence.offsets[i], spaces, i == 0, trimming);
    }
  }
}

// Tokenizes a piece of text that contains no added tokens.
void Pipeline::add_text(NormalizedText& text, Workspace& work, Sequence& out,
                        OffsetUnit unit) const {
  if (text.text.empty()) return;
  work.words.assign(1, {0, static_cast<uint32_t>(text.text.size())});
  for (const auto& step : pre_tokenizers_.steps) step->apply(text, work.words);
  // If every byte is an unchanged character, offsets are only shifted.
  const bool plain = text.origin.empty() && is_ascii(text.text);
  for (const Span& word : work.words) {
    const auto letters = std::string_view(text.text).substr(word.begin, word.end - word.begin);
    const auto pieces = work.cache.pieces(letters, *model_);
    for (const Piece& piece : pieces) out.ids.push_back(piece.id);
    if (unit == OffsetUnit::kNone) continue;
    for (const Piece& piece : pieces) {
      const Span bytes{word.begin + piece.begin, word.begin + piece.end};
      out.offsets.push_back(plain ? Span{text.base + bytes.begin, text.base + bytes.end}
                                  : text.origin_of(bytes));
    }
  }
}

std::string Pipeline::decode(std::span<const int32_t> ids, SpecialTokens special) const {
  if (pieces_) return decode_pieces(ids, special);
  std::vector<std::string> tokens;
  tokens.reserve(ids.size());
  for (int32_t id : ids) {
    const AddedToken* added = added_.by_id(id);
    if (added && added->is_hidden && special == SpecialTokens::kSkip) continue;
    if (added)
      tokens.push_back(added->shown);
    else if (vocabulary_.has(id))
      tokens.emplace_back(vocabulary_.token(id));
  }
  return decoder_.decode(std::move(tokens));
}

// The library removes the space before the first piece; after another token it is restored here.
std::string Pipeline::decode_pieces(std::span<const int32_t> ids, SpecialTokens special) const {
  constexpr std::string_view kSpace = "\u2581";
  std::string out;
  std::vector<int> run;
  const auto put_run = [&] {
    if (!out.empty() && !run.empty() && pieces_->piece(run[0]).starts_with(kSpace)) out += ' ';
    out += pieces_->decode(run);
    run.clear();
  };
  for (const int32_t id : ids) {
    const AddedToken* const added = added_.by_id(id);
    const bool is_shown = added ? !added->is_hidden : !pieces_->is_control(id);
    if (!is_shown && special == SpecialTokens::kSkip) continue;
    if (!added && is_shown) {
      if (vocabulary_.has(id)) run.push_back(id);
      continue;
    }
    put_run();
    out += added ? added->shown : pieces_->piece(id);
  }
  put_run();
  return out;
}

bool Pipeline::is_special(int32_t id) const {
  const AddedToken* const token = added_.by_id(id);
  return token ? token->special : pieces_ && pieces_->is_control(id);
}

int32_t Pipeline::find(std::string_view token) const {
  const int32_t id = added_.find(std::string(token));
  return id >= 0 ? id : vocabulary_.find(token);
}

std::string Pipeline::token(int32_t id) const {
  if (const AddedToken* added = added_.by_id(id)) return added->content;
  return std::string(vocabulary_.token(id));
}

std::optional<int32_t> Pipeline::role(TokenRole role) const {
  const auto place = roles_.find(role);
  if (place == roles_.end()) return std::nullopt;
  return place->second;
}

void Pipeline::find_roles(const std::map<TokenRole, std::string>& names) {
  using enum TokenRole;
  // Conventional names of special tokens; used only if the file marks the token as special.
  constexpr std::pair<TokenRole, std::string_view> kConventional[] = {
      {kCls, "[CLS]"},         {kSep, "[SEP]"},        {kPad, "[PAD]"}, {kUnk, "[UNK]"},
      {kMask, "[MASK]"},       {kCls, "<s>"},          {kBos, "<s>"},   {kSep, "</s>"},
      {kEos, "</s>"},          {kPad, "<pad>"},        {kUnk, "<unk>"}, {kMask, "<mask>"},
      {kBos, "<|endoftext|>"}, {kEos, "<|endoftext|>"}};
  for (const auto& [role, name] : names)
    if (const int32_t id = find(name); id >= 0) roles_[role] = id;
  if (model_->unknown() >= 0) roles_.try_emplace(kUnk, model_->unknown());
  if (!names.empty()) return;
  for (const auto& [role, name] : kConventional) {
    const AddedToken* token = added_.by_id(added_.find(std::string(name)));
    if (token && token->special) roles_.try_emplace(role, token->id);
  }
}

}  // namespace mixtune
