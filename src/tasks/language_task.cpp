#include "tasks/language_task.h"

#include <cmath>

#include "base/scalars.h"
#include "tasks/find_file.h"
#include "tasks/sample.h"

namespace mixtune {
namespace fs = std::filesystem;

void LanguageTaskConfig::completion_fields(FieldVisitor& v) {
  v.field(
      "too_long", too_long,
      "Handling of examples longer than max_length. truncate_prompt: truncate the prompt on the left; "
      "drop: leave the example out and count it; reject: error. Answers are never truncated.",
      {.choices = too_long_names()});
  v.field("loss", loss,
          "Supervised tokens: those of the completion, or those of the prompt as well (all).",
          {.choices = {"completion", "all"}});
}

void LanguageTaskConfig::end_field(FieldVisitor& v) {
  v.field("end", end,
          "Token that ends a text, as spelled in the tokenizer; null: the template's or the "
          "tokenizer's end token.");
}

void LanguageTaskConfig::dev_share_field(FieldVisitor& v) {
  v.field("dev_share", dev_share,
          "Fraction of the training data held out for evaluation if there is no dev file.",
          {.above = 0, .below = 1});
}

std::vector<MetricValue> likelihood_metrics(const std::vector<Likelihood>& likelihoods) {
  Likelihood all;
  for (const Likelihood& one : likelihoods) {
    all.log_probability += one.log_probability;
    all.tokens += one.tokens;
    all.best += one.best;
  }
  const auto tokens = static_cast<double>(all.tokens);
  return {{"perplexity", std::exp(-all.log_probability / tokens)},
          {"token_accuracy", static_cast<double>(all.best) / tokens}};
}

std::vector<MetricValue> LanguageTask::metrics(const DataSet&,
                                               const Predictions& predictions) const {
  return likelihood_metrics(predictions.likelihoods);
}

std::vector<std::string> TaskFiles::names(const std::string& split) const {
  std::vector<std::string> out;
  for (const std::string& ending : endings_) out.push_back(split + "." + ending);
  return out;
}

std::optional<fs::path> TaskFiles::split(const std::optional<std::string>& named,
                                         const std::string& name) const {
  std::error_code error;
  const bool is_file = fs::is_regular_file(config_.data, error);
  if (named) {
    const fs::path data = config_.data;
    return named_file(is_file ? data.parent_path() : data, *named, "task." + name);
  }
  if (config_.data.empty() || is_file) return std::nullopt;
  return first_file(data_folder(config_.data, "your data"), names(name));
}

fs::path TaskFiles::train() const {
  if (const auto path = split(config_.train, "train")) return *path;
  std::error_code error;
  if (fs::is_regular_file(config_.data, error)) return config_.data;
  return required_file(data_folder(config_.data, "your data"), names("train"), "task.train");
}

std::optional<fs::path> TaskFiles::dev() const {
  return split(config_.dev, "dev");
}

std::optional<fs::path> TaskFiles::test() const {
  return split(config_.test, "test");
}

std::pair<DataSet, DataSet> hold_out(const DataSet& all, double share) {
  auto parts = split_by_text(all, share);
  if (parts.first.examples.empty() || parts.second.examples.empty())
    throw UserError("task.dev_share",
                    "a share of " + print_number(share) + " of " +
                        std::to_string(all.examples.size()) + " examples leaves " +
                        (parts.first.examples.empty() ? "none to train on" : "none to evaluate on"),
                    "Change the share, or name a file with task.dev.");
  parts.second.name = "dev";
  return parts;
}

}  // namespace mixtune
