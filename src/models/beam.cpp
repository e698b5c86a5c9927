// Beam search as in transformers 5. Each step selects the best candidates over all beams of a
// prompt, more candidates than there are beams. An ended candidate is stored if it is among the
// first `num_beams` and dropped otherwise; the best candidates that have not ended continue.
#include <algorithm>
#include <cmath>
#include <limits>

#include "models/generate.h"

namespace mixtune {
namespace {

struct Beam {
  int64_t text;  // its index in the GenerationState
  double sum;    // log-probability
};

struct Candidate {
  double sum;
  size_t beam;  // index among the beams of its prompt
  int32_t token;
};

// The search of one prompt.
struct Search {
  size_t prompt;
  std::vector<Beam> beams;
  std::vector<Generated> stored = {};  // best first, at most `beams`
  bool is_done = false;
};

bool better(const Candidate& a, const Candidate& b) {
  if (a.sum != b.sum) return a.sum > b.sum;
  return a.beam != b.beam ? a.beam < b.beam : a.token < b.token;
}

// The best `count` candidates of a prompt, best first. `logits` holds log-probabilities, which the
// rules change in place.
std::vector<Candidate> candidates(const Search& search, const GenerationState& texts,
                                  const Tensor& logits, const TokenRules& rules, size_t count) {
  std::vector<Candidate> out;
  const auto keep_best = [&] {
    std::nth_element(out.begin(), out.begin() + static_cast<int64_t>(count), out.end(), better);
    out.resize(count);
  };
  // The score of the worst of `count` candidates; anything worse is skipped.
  double worst = -std::numeric_limits<double>::infinity();
  for (size_t b = 0; b < search.beams.size(); ++b) {
    const auto [text, sum] = search.beams[b];
    const std::span<float> row(logits.data_ptr<float>() + text * logits.size(1),
                               static_cast<size_t>(logits.size(1)));
    apply_rules(row, {texts.ids(text), texts.prompt(text)}, rules);
    for (size_t token = 0; token < row.size(); ++token) {
      if (row[token] == kForbidden || sum + row[token] < worst) continue;
      out.push_back({sum + row[token], b, static_cast<int32_t>(token)});
      if (out.size() < 4 * count) continue;
      keep_best();
      worst = std::max_element(out.begin(), out.end(), better)->sum;
    }
  }
  if (out.size() > count) keep_best();
  std::sort(out.begin(), out.end(), better);
  return out;
}

class BeamSearch {
 public:
  BeamSearch(GenerationState& texts, const GenerateOptions& options)
      : texts_(texts), options_(options) {}

  std::vector<std::vector<Generated>> run(const std::vector<std::vector<int32_t>>& prompts) {
    Tensor logits = at::log_softmax(texts_.start(prompts), 1);  // [texts, V]
    for (size_t i = 0; i < prompts.size(); ++i)
      searches_.push_back({.prompt = i, .beams = {{static_cast<int64_t>(i), 0}}});
    for (int64_t written = 1; written <= options_.max_new_tokens; ++written) {
      std::vector<int64_t> parents;
      std::vector<int32_t> tokens;
      for (Search& search : searches_)
        if (!search.is_done) advance(search, logits, written, parents, tokens);
      if (parents.empty() || written == options_.max_new_tokens) break;
      logits = at::log_softmax(texts_.step(parents, tokens), 1);
    }
    std::vector<std::vector<Generated>> out;
    for (Search& search : searches_) out.push_back(std::move(search.stored));
    return out;
  }

 private:
  double score(double sum, int64_t tokens) const {
    return sum / std::pow(static_cast<double>(tokens), options_.length_penalty);
  }

  // Adds the `written`-th token. Continuing beams are appended to parents and tokens.
  void advance(Search& search, const Tensor& logits, int64_t written, std::vector<int64_t>& parents,
               std::vector<int32_t>& tokens) {
    const auto beams = static_cast<size_t>(options_.num_beams);
    const size_t count = std::max<size_t>(2, 1 + options_.rules.stops.size()) * beams;
    const std::vector<Candidate> best = candidates(search, texts_, logits, options_.rules, count);
    std::vector<Beam> next;
    std::vector<Generated> ended;
    if (best.empty()) ended = unfinished(search, written - 1);
    for (size_t i = 0; i < best.size(); ++i) {
      const int64_t text = search.beams[best[i].beam].text;
      const bool stops = ends(search.prompt, text, best[i].token);
      if (stops || written == options_.max_new_tokens) {
        if (i < beams) ended.push_back(finished(text, best[i], stops, written));
      } else if (next.size() < beams) {
        next.push_back({static_cast<int64_t>(parents.size()), best[i].sum});
        parents.push_back(text);
        tokens.push_back(best[i].token);
      }
    }
    search.beams = std::move(next);
    store(search, std::move(ended));
    search.is_done = search.beams.empty() || is_enough(search, written);
    if (!search.is_done) return;
    parents.resize(parents.size() - search.beams.size());
    tokens.resize(parents.size());
  }

  bool ends(size_t prompt, int64_t text, int32_t token) const {
    if (options_.rules.is_stop(token)) return true;
    if (!options_.ends) return false;
    std::vector<int32_t> written = written_by(text);
    written.push_back(token);
    return options_.ends(prompt, written);
  }

  std::vector<int32_t> written_by(int64_t text) const {
    const std::vector<int32_t>& ids = texts_.ids(text);
    return {ids.begin() + texts_.prompt(text), ids.end()};
  }

  Generated finished(int64_t text, const Candidate& last, bool stops, int64_t written) const {
    Generated out{.ids = written_by(text),
                  .stopped = stops,
                  .log_probability = last.sum,
                  .score = score(last.sum, written)};
    out.ids.push_back(last.token);
    return out;
  }

  // The running beams, for the case that the rules forbid every next token.
  std::vector<Generated> unfinished(const Search& search, int64_t written) const {
    std::vector<Generated> out;
    for (const auto& [text, sum] : search.beams)
      out.push_back({.ids = written_by(text),
                     .log_probability = sum,
                     .score = score(sum, std::max<int64_t>(written, 1))});
    return out;
  }

  void store(Search& search, std::vector<Generated> ended) const {
    for (Generated& text : ended) search.stored.push_back(std::move(text));
    std::stable_sort(search.stored.begin(), search.stored.end(),
                     [](const Generated& a, const Generated& b) { return a.score > b.score; });
    if (search.stored.size() > static_cast<size_t>(options_.num_beams))
      search.stored.resize(static_cast<size_t>(options_.num_beams));
  }

  bool is_enough(const Search& search, int64_t written) const {
    if (search.stored.size() < static_cast<size_t>(options_.num_beams)) return false;
    if (options_.early_stopping == GenerateOptions::EarlyStopping::at_once) return true;
    const bool any_length = options_.early_stopping == GenerateOptions::EarlyStopping::never &&
                            options_.length_penalty > 0;
    const double best_possible =
        score(search.beams.front().sum, any_length ? options_.max_new_tokens : written);
    return best_possible <= search.stored.back().score;
  }

  GenerationState& texts_;
  const GenerateOptions& options_;
  std::vector<Search> searches_;
};

}  // namespace

std::vector<std::vector<Generated>> beam_search(GenerationState& texts,
                                                const std::vector<std::vector<int32_t>>& prompts,
                                                const GenerateOptions& options) {
  return BeamSearch(texts, options).run(prompts);
}

}  // namespace mixtune
