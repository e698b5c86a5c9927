#include "tasks/e2e_score.h"

#include <functional>
#include <numeric>

#include "metrics/bleu.h"
#include "metrics/cider.h"
#include "metrics/coco_words.h"
#include "metrics/meteor.h"
#include "metrics/mteval_words.h"
#include "metrics/nist.h"
#include "metrics/rouge_l.h"
#include "text/unicode.h"

namespace mixtune {
namespace {

// coco_words and mteval_words convert ASCII letters to lower case themselves.
std::string lower_case(const std::string& word) {
  if (is_ascii(word)) return word;
  std::string out;
  for (const char *at = word.data(), *end = at + word.size(); at < end;) {
    const Lowered lowered = to_lower(next_code_point(at));
    append_utf8(lowered.first, out);
    if (lowered.second != 0) append_utf8(lowered.second, out);
  }
  return out;
}

Words lower_coco_words(const std::string& text) {
  Words out = coco_words(text);
  for (std::string& word : out) word = lower_case(word);
  return out;
}

std::vector<WordSegment> in_words(std::span<const TextSegment> segments,
                                  const std::function<Words(const std::string&)>& words) {
  std::vector<WordSegment> out;
  for (const TextSegment& segment : segments) {
    WordSegment next{.output = words(segment.output), .references = {}};
    for (const std::string& reference : segment.references)
      next.references.push_back(words(reference));
    if (next.references.empty()) next.references.emplace_back();
    out.push_back(std::move(next));
  }
  return out;
}

double mean(const std::vector<double>& values) {
  if (values.empty()) return 0;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

E2eScores score_e2e(std::span<const TextSegment> segments, E2eDetail detail) {
  const std::vector<WordSegment> mteval =
      in_words(segments, [](const std::string& text) { return mteval_words(text); });
  const std::vector<WordSegment> coco = in_words(segments, lower_coco_words);
  BleuCounts all;
  std::vector<BleuCounts> counts;
  for (const WordSegment& segment : mteval) {
    counts.push_back(bleu_counts(segment));
    all.add(counts.back());
  }
  std::vector<double> rouge_ls, meteors;
  for (const WordSegment& segment : coco) {
    rouge_ls.push_back(rouge_l(segment));
    meteors.push_back(meteor(segment));
  }
  const std::vector<double> ciders = cider(coco);
  const ChrfScores chrfs = chrf(segments);
  E2eScores out;
  out.metrics = {{"bleu", bleu(all)},     {"nist", nist(mteval)},    {"rouge_l", mean(rouge_ls)},
                 {"cider", mean(ciders)}, {"meteor", mean(meteors)}, {"chrf", chrfs.system}};
  if (detail == E2eDetail::system) return out;
  for (size_t i = 0; i < segments.size(); ++i)
    out.segments.push_back({{"bleu", segment_bleu(counts[i])},
                            {"nist", segment_nist(mteval[i])},
                            {"rouge_l", rouge_ls[i]},
                            {"cider", ciders[i]},
                            {"meteor", meteors[i]},
                            {"chrf", chrfs.segments[i]},
                            {"sent_bleu", segment_bleu(counts[i], 1)}});
  return out;
}

}  // namespace mixtune
