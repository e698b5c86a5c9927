#include "text/normalizer.h"

#include "text/regex.h"
#include "text/unicode.h"
#include "text/unicode_forms.h"

namespace mixtune {
namespace {

using Normalizers = std::vector<std::unique_ptr<const Normalizer>>;

class SequenceNormalizer : public Normalizer {
 public:
  explicit SequenceNormalizer(Normalizers steps) : steps_(std::move(steps)) {}
  void apply(NormalizedText& text) const override {
    for (const auto& step : steps_) step->apply(text);
  }

 private:
  Normalizers steps_;
};

class FormNormalizer : public Normalizer {
 public:
  FormNormalizer(Decomposition kind, bool composes) : kind_(kind), composes_(composes) {}
  void apply(NormalizedText& text) const override {
    if (is_ascii(text.text)) return;
    std::vector<CharacterChange> characters;
    characters.reserve(text.text.size());
    for (const char *at = text.text.data(), *end = at + text.text.size(); at < end;)
      decompose(next_code_point(at), kind_, characters);
    order_marks(characters);
    if (composes_) compose(characters);
    apply_changes(characters, text);
  }

 private:
  Decomposition kind_;
  bool composes_;
};

class LowercaseNormalizer : public Normalizer {
 public:
  void apply(NormalizedText& text) const override {
    TextRewriter rewriter(text);
    const char* begin = text.text.data();
    for (const char *at = begin, *end = at + text.text.size(); at < end;) {
      const Span origin = text.origin_at(at - begin);
      const Lowered lowered = to_lower(next_code_point(at));
      rewriter.put(lowered.first, origin);
      if (lowered.second) rewriter.put(lowered.second, origin);
    }
    rewriter.finish();
  }
};

class StripNormalizer : public Normalizer {
 public:
  StripNormalizer(bool left, bool right) : left_(left), right_(right) {}
  void apply(NormalizedText& text) const override {
    const char* const begin = text.text.data();
    uint32_t first = 0,
             last = 0;  // kept: from the first to the last non-space character
    bool any = false;
    for (const char *at = begin, *end = at + text.text.size(); at < end;) {
      const auto here = static_cast<uint32_t>(at - begin);
      if (is_white_space(next_code_point(at))) continue;
      if (!any) first = here;
      last = static_cast<uint32_t>(at - begin);
      any = true;
    }
    const auto size = static_cast<uint32_t>(text.text.size());
    if (!any) first = last = left_ || right_ ? 0 : size;
    NormalizedText kept;
    text.copy_part({left_ ? first : 0, right_ || !any ? last : size}, kept);
    text = std::move(kept);
  }

 private:
  bool left_, right_;
};

class StripAccentsNormalizer : public Normalizer {
 public:
  void apply(NormalizedText& text) const override {
    TextRewriter rewriter(text);
    const char* begin = text.text.data();
    for (const char *at = begin, *end = at + text.text.size(); at < end;) {
      const Span origin = text.origin_at(at - begin);
      const uint32_t character = next_code_point(at);
      if (!is_mark(character)) rewriter.put(character, origin);
    }
    rewriter.finish();
  }
};

// Prepends text to a non-empty text; its origin is the first character.
class PrependNormalizer : public Normalizer {
 public:
  explicit PrependNormalizer(const JsonField& field) : content_(field.at("prepend").string()) {
    if (!is_valid_utf8(content_)) field.at("prepend").fail("is not UTF-8");
  }
  void apply(NormalizedText& text) const override {
    if (text.text.empty() || content_.empty()) return;
    std::vector<Span> origin(content_.size(), text.origin_at(0));
    origin.reserve(content_.size() + text.text.size());
    for (size_t at = 0; at < text.text.size(); ++at) origin.push_back(text.origin_at(at));
    text.text.insert(0, content_);
    text.origin = std::move(origin);
  }

 private:
  std::string content_;
};

class ReplaceNormalizer : public Normalizer {
 public:
  explicit ReplaceNormalizer(const JsonField& field)
      : pattern_(field.at("pattern")), content_(field.at("content").string()) {
    if (!is_valid_utf8(content_)) field.at("content").fail("is not UTF-8");
  }
  void apply(NormalizedText& text) const override {
    const auto matches = pattern_.matches(text.text);
    if (matches.empty()) return;
    TextRewriter rewriter(text);
    const char* begin = text.text.data();
    const auto copy = [&](uint32_t from, uint32_t to) {
      for (const char *at = begin + from, *end = begin + to; at < end;) {
        const Span origin = text.origin_at(at - begin);
        rewriter.put(next_code_point(at), origin);
      }
    };
    uint32_t done = 0;
    for (const Span& match : matches) {
      copy(done, match.begin);
      // The origin of the new text is the last character it replaces, as in the reference library.
      const Span origin =
          match.end > 0 ? text.origin_at(match.end - 1) : Span{text.base, text.base};
      for (const char *at = content_.data(), *end = at + content_.size(); at < end;)
        rewriter.put(next_code_point(at), origin);
      done = match.end;
    }
    copy(done, static_cast<uint32_t>(text.text.size()));
    rewriter.finish();
  }

 private:
  Pattern pattern_;
  std::string content_;
};

}  // namespace

std::unique_ptr<const Normalizer> read_normalizer(const JsonField& field) {
  const std::string type = field.at("type").string();
  if (type == "Sequence") {
    Normalizers steps;
    const JsonField list = field.at("normalizers");
    for (size_t i = 0; i < list.size(); ++i) steps.push_back(read_normalizer(list.at(i)));
    return std::make_unique<SequenceNormalizer>(std::move(steps));
  }
  if (type == "NFC") return std::make_unique<FormNormalizer>(Decomposition::kCanonical, true);
  if (type == "NFD") return std::make_unique<FormNormalizer>(Decomposition::kCanonical, false);
  if (type == "NFKC") return std::make_unique<FormNormalizer>(Decomposition::kCompatible, true);
  if (type == "NFKD") return std::make_unique<FormNormalizer>(Decomposition::kCompatible, false);
  if (type == "Lowercase") return std::make_unique<LowercaseNormalizer>();
  if (type == "Strip")
    return std::make_unique<StripNormalizer>(field.boolean_or("strip_left", true),
                                             field.boolean_or("strip_right", true));
  if (type == "StripAccents") return std::make_unique<StripAccentsNormalizer>();
  if (type == "Prepend") return std::make_unique<PrependNormalizer>(field);
  if (type == "Precompiled") return read_precompiled_normalizer(field);
  if (type == "Replace") return std::make_unique<ReplaceNormalizer>(field);
  if (type == "BertNormalizer") return read_bert_normalizer(field);
  field.at("type").reject(
      type,
      "Sequence, NFC, NFD, NFKC, NFKD, Lowercase, Strip, StripAccents, Prepend, Replace, "
      "Precompiled or BertNormalizer");
}

}  // namespace mixtune
