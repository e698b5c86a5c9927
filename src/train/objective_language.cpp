// The objective of language models: cross-entropy of the supervised tokens, without ever storing
// the logits of all tokens. The row before a token predicts it. In evaluation a sequence has either
// its supervised tokens scored, or one of its candidate tokens chosen after its last token. Legend:
// T tokens, S sequences, R rows that predict a supervised token, D width, K candidates.
#include "tensor/pick_rows.h"
#include "train/evaluate.h"
#include "train/loss.h"

namespace mixtune {
namespace {

// Columns of the output of a scored sequence.
enum { kLogProbability, kTokens, kBest, kColumns };

struct Supervised {
  SelectedRows rows;
  Tensor targets;               // [R] int64
  std::vector<int64_t> counts;  // [S] supervised tokens
};

Supervised supervised_rows(const PackedBatch& batch, const SequenceRefs& sequences) {
  Supervised out;
  std::vector<std::vector<int64_t>> chosen;
  std::vector<int64_t> targets;
  for (size_t s = 0; s < sequences.size(); ++s) {
    std::vector<int64_t> rows;
    for (const TokenSpan& span : sequences[s]->supervised)
      for (int64_t t = span.begin; t < span.end; ++t) {
        MIXTUNE_CHECK(t > 0 && t < batch.rows.length(static_cast<int64_t>(s)), std::to_string(t));
        rows.push_back(batch.rows.offsets[s] + t - 1);
        targets.push_back(sequences[s]->ids[static_cast<size_t>(t)]);
      }
    out.counts.push_back(static_cast<int64_t>(rows.size()));
    chosen.push_back(std::move(rows));
  }
  out.rows = pick_rows(batch.rows, chosen);
  out.targets = at::tensor(targets, at::kLong).to(batch.ids.device());
  return out;
}

class LanguageObjective final : public TaskObjective {
 public:
  explicit LanguageObjective(bool reads_some_rows) : reads_some_rows_(reads_some_rows) {}

  int64_t units(const EncodedExample& example) const override {
    return example.supervised_tokens();
  }

  Tensor loss_sum(Model& model, const PackedBatch& batch, const SequenceRefs& sequences,
                  ForwardContext& context, double smoothing) const override {
    const Supervised s = supervised_rows(batch, sequences);
    const Tensor z = read_rows(model, batch, s.rows, context);  // [R, D]
    return language_loss_sum(z, model.language_head(), s.targets, {.smoothing = smoothing});
  }

  Tensor outputs(Model& model, const PackedBatch& batch, const SequenceRefs& sequences,
                 ForwardContext& context) const override {
    if (!sequences.front()->candidates.empty()) return choose(model, batch, sequences, context);
    const Supervised s = supervised_rows(batch, sequences);
    const Tensor z = read_rows(model, batch, s.rows, context);  // [R, D]
    const TokenScores scores = score_tokens(z, model.language_head(), s.targets);
    const Tensor log_p = scores.log_probability.to(at::kCPU);  // [R] double
    const Tensor best = scores.is_best.to(at::kCPU);
    const Tensor out =
        at::zeros({static_cast<int64_t>(sequences.size()), kColumns}, at::kDouble);  // [S, 3]
    auto numbers = out.accessor<double, 2>();
    int64_t row = 0;
    for (size_t i = 0; i < sequences.size(); ++i) {
      auto sequence = numbers[static_cast<int64_t>(i)];
      sequence[kTokens] = static_cast<double>(s.counts[i]);
      for (int64_t end = row + s.counts[i]; row < end; ++row) {
        sequence[kLogProbability] += log_p.const_data_ptr<double>()[row];
        sequence[kBest] += best.const_data_ptr<bool>()[row];
      }
    }
    return out;
  }

  Predictions predictions(const Tensor& outputs,
                          const std::vector<EncodedExample>& examples) const override {
    Predictions out;
    if (is_choice(examples)) {
      const Predictions chosen = predictions_of(outputs, false);
      out.labels = chosen.labels;
      out.label_scores = chosen.label_scores;
      return out;
    }
    const auto numbers = outputs.accessor<double, 2>();
    for (int64_t n = 0; n < outputs.size(0); ++n)
      out.likelihoods.push_back({.log_probability = numbers[n][kLogProbability],
                                 .tokens = static_cast<int64_t>(numbers[n][kTokens]),
                                 .best = static_cast<int64_t>(numbers[n][kBest])});
    return out;
  }

  // For choices, the cross-entropy of the correct candidate.
  double mean_loss(const Tensor& outputs,
                   const std::vector<EncodedExample>& examples) const override {
    if (is_choice(examples)) return task_loss(outputs, examples, false);
    // Only the correct one of several answer options counts.
    double sum = 0, tokens = 0;
    const auto numbers = outputs.accessor<double, 2>();
    for (int64_t n = 0; n < outputs.size(0); ++n) {
      if (examples[static_cast<size_t>(n)].is_distractor) continue;
      sum -= numbers[n][kLogProbability];
      tokens += numbers[n][kTokens];
    }
    return sum / tokens;
  }

 private:
  static bool is_choice(const std::vector<EncodedExample>& examples) {
    return !examples.empty() && !examples.front().candidates.empty();
  }

  Tensor read_rows(Model& model, const PackedBatch& batch, const SelectedRows& rows,
                   ForwardContext& context) const {
    if (reads_some_rows_) return model.head_input(batch, context, &rows);  // [R, D]
    return model.head_input(batch, context, nullptr).index_select(0, rows.index);
  }

  Tensor choose(Model& model, const PackedBatch& batch, const SequenceRefs& sequences,
                ForwardContext& context) const {
    std::vector<std::vector<int64_t>> last;
    const std::vector<int32_t>& candidates = sequences.front()->candidates;
    for (size_t s = 0; s < sequences.size(); ++s) {
      MIXTUNE_CHECK(sequences[s]->candidates == candidates,
                    "all sequences of a set must have the same candidates");
      last.push_back({batch.rows.offsets[s + 1] - 1});
    }
    const Tensor z = read_rows(model, batch, pick_rows(batch.rows, last), context);  // [S, D]
    const Tensor ids =
        at::tensor(std::vector<int64_t>(candidates.begin(), candidates.end()), at::kLong)
            .to(z.device());
    return candidate_logits(z, model.language_head(), ids).to(at::kCPU, at::kFloat);  // [S, K]
  }

  bool reads_some_rows_;
};

}  // namespace

std::unique_ptr<TaskObjective> make_language_objective(const ObjectiveOptions& options) {
  return std::make_unique<LanguageObjective>(options.reads_some_rows);
}

}  // namespace mixtune
