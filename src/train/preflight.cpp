#include "train/preflight.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/memory.h"
#include "tasks/distribution.h"
#include "train/last_good.h"
#include "train/plan.h"

namespace mixtune {
namespace {

std::vector<GroupCount> count_groups(const Attachment& attachment) {
  std::vector<GroupCount> out;
  for (const Segment& segment : attachment.trainables.segments()) {
    const auto found = std::find_if(out.begin(), out.end(),
                                    [&](const GroupCount& k) { return k.kind == segment.group; });
    if (found == out.end())
      out.push_back({segment.group, segment.count()});
    else
      found->parameters += segment.count();
  }
  return out;
}

SetSummary summarize(Session& session, const EncodedSet& set) {
  SetSummary out{.name = set.data->name,
                 .source = set.data->source,
                 .lengths = summarize_lengths(set.examples),
                 .goal = session.task->goal(),
                 .labels = {}};
  if (out.goal == Goal::regress) {
    const ScoreSummary scores = summarize_scores(*set.data);
    out.lowest = scores.minimum;
    out.highest = scores.maximum;
    out.mean = scores.mean;
    return out;
  }
  const auto names = static_cast<int64_t>(session.task->labels().size());
  if (names == 0) return out;
  const std::vector<int64_t> counts = label_counts(*set.data, names);
  for (int64_t label = 0; label < names; ++label)
    out.labels.push_back({session.label_name(label), counts[static_cast<size_t>(label)]});
  return out;
}

// Expected number of tokens of a micro-batch.
double micro_batch_tokens(const Session& session, double mean_length) {
  const TrainSettings& train = session.config.train;
  return train.batch_tokens ? static_cast<double>(*train.batch_tokens)
                            : static_cast<double>(train.batch_size) * mean_length;
}

// Estimate of the tensors that layers save for the backward pass, in floats per token: queries,
// keys, values, attention and its output, two residual sums, two norms, their inputs (10 D), the
// feed-forward before and after its activation (2 F) and, per head, the attention weights of a row.
// A borrowed layer saves as much again.
int64_t activation_bytes(Session& session, double tokens, double mean_length) {
  const ModelConfig& c = session.model->config();
  const double per_layer = 10.0 * static_cast<double>(c.hidden_size) +
                           2.0 * static_cast<double>(c.intermediate_size) +
                           static_cast<double>(c.heads) * mean_length;
  const double layers =
      static_cast<double>(c.layers) * (session.model->sites().stack->adapter ? 2 : 1);
  return static_cast<int64_t>(4 * tokens * per_layer * layers);
}

void describe_loading(const Session& session, Preflight& out) {
  const auto add = [&](const std::string& what, const std::vector<std::string>& names) {
    if (!names.empty()) out.loading.push_back(what + ": " + join_names(names));
  };
  out.loading.push_back(std::to_string(session.load_report.loaded) +
                        " weights loaded from the model");
  if (session.config.model.adapter)
    out.loading.push_back(std::to_string(session.adapter_report.loaded) +
                          " tensors loaded from the adapter " + *session.config.model.adapter);
  add("newly initialized", session.load_report.newly_initialized);
  add("missing in the model's files", session.load_report.missing);
  add("in the model's files but not used", session.load_report.unexpected);
  add("not taken from the adapter", session.adapter_report.newly_initialized);
  add("options that differ", session.adapter_report.differences);
}

void warn(const Session& session, Preflight& out) {
  const auto add = [&](std::string line) { out.warnings.push_back(std::move(line)); };
  for (const SetSummary& set : out.sets) {
    const LengthSummary& lengths = set.lengths;
    if (lengths.truncated * 10 > lengths.examples)
      add(fmt::format("{} of {} examples of {} are cut to task.max_length {}", lengths.truncated,
                      lengths.examples, set.name, session.max_length));
    for (const LabelShare& label : set.labels)
      if (label.count == 0 && set.name == "train" && set.goal == Goal::classify)
        add("no training example has the label " + label.label);
  }
  const auto add_of = [&](const EncodedSet& set) {
    for (const std::string& line : set.data->warnings) add(line);
    for (const std::string& line : set.notes) add(line);
  };
  add_of(session.train);
  for (const EncodedSet& set : session.evaluation) add_of(set);
  const auto& losses = session.attachment->losses;
  const auto& examples = session.train.examples;
  const bool needs_example_groups = std::any_of(
      losses.begin(), losses.end(), [](const auto& loss) { return loss.name == "variation"; });
  if (needs_example_groups && std::none_of(examples.begin(), examples.end(),
                                           [](const auto& e) { return e.example_group >= 0; }))
    add("localized balancing (variation) is on, but no training example has a group, so it is "
        "zero; set task.example_group to the field with the groups");
  if (session.config.model.from_scratch && session.config.method.name != "full")
    add("model.from_scratch initializes the weights randomly, but this method does not train them; "
        "use method=full");
  if (session.attachment->trainables.count() == 0) add("nothing is trained");
  if (out.memory_available > 0 && out.memory.total() > out.memory_available)
    add("the estimated memory is more than the available memory; lower train.batch_size or "
        "batch_tokens");
}

std::string bytes_text(int64_t bytes) {
  const double b = static_cast<double>(bytes);
  return b >= 1e9 ? fmt::format("{:.2f} GB", b / 1e9) : fmt::format("{:.1f} MB", b / 1e6);
}

// 1234567 as 1,234,567.
std::string grouped(int64_t value) {
  std::string out = std::to_string(value);
  for (auto at = static_cast<int64_t>(out.size()) - 3; at > (value < 0 ? 1 : 0); at -= 3)
    out.insert(static_cast<size_t>(at), ",");
  return out;
}

// Sites that differ only in numbers share a line: "bert.encoder.layer.*.attention.self.query".
struct SiteLine {
  std::string site, what;
  int64_t count = 0, parameters = 0;
};

std::string without_numbers(const std::string& site) {
  std::string out;
  for (size_t i = 0; i < site.size(); ++i) {
    const bool starts =
        i > 0 && site[i - 1] == '.' && std::isdigit(static_cast<unsigned char>(site[i]));
    if (!starts) {
      out += site[i];
      continue;
    }
    while (i + 1 < site.size() && std::isdigit(static_cast<unsigned char>(site[i + 1]))) ++i;
    out += '*';
  }
  return out;
}

std::vector<SiteLine> merge_sites(const std::vector<AttachedSite>& sites) {
  std::vector<SiteLine> out;
  for (const AttachedSite& s : sites) {
    const std::string site = without_numbers(s.site);
    const auto found = std::find_if(out.begin(), out.end(), [&](const SiteLine& line) {
      return line.site == site && line.what == s.what;
    });
    SiteLine& line = found == out.end() ? out.emplace_back(SiteLine{site, s.what}) : *found;
    ++line.count;
    line.parameters += s.parameters;
  }
  return out;
}

std::string render_set(const SetSummary& set) {
  const LengthSummary& l = set.lengths;
  std::string out = fmt::format(
      "  {}: {} examples, {} tokens, mean length {:.1f}, longest {}, truncated {} ({:.1f} %)\n",
      set.name, grouped(l.examples), grouped(l.tokens),
      l.examples ? static_cast<double>(l.tokens) / static_cast<double>(l.examples) : 0.0, l.longest,
      l.truncated,
      l.examples ? 100.0 * static_cast<double>(l.truncated) / static_cast<double>(l.examples)
                 : 0.0);
  if (set.goal == Goal::next_token)
    out += fmt::format(
        "    supervised tokens {} ({:.1f} %)\n", grouped(l.supervised),
        l.tokens ? 100.0 * static_cast<double>(l.supervised) / static_cast<double>(l.tokens) : 0.0);
  if (set.goal == Goal::regress) {
    out += fmt::format("    scores {:.3g} to {:.3g}, mean {:.3g}\n", set.lowest, set.highest,
                       set.mean);
  } else if (!set.labels.empty()) {
    int64_t labeled = 0;
    for (const LabelShare& label : set.labels) labeled += label.count;
    out += "    labels";
    for (const LabelShare& label : set.labels)
      out += fmt::format(
          "  {} {} ({:.1f} %)", label.label, grouped(label.count),
          labeled ? 100.0 * static_cast<double>(label.count) / static_cast<double>(labeled) : 0.0);
    out += '\n';
  }
  return out;
}

// The text with supervised tokens between « and ». Pieces are cut from text decoded from the start,
// so that characters of several tokens and leading spaces of a piece are correct.
std::string marked_text(const Tokenizer& tokenizer, const EncodedExample& example) {
  const auto decoded = [&](int64_t tokens) {
    return tokenizer.decode({example.ids.data(), static_cast<size_t>(tokens)},
                            SpecialTokens::kKeep);
  };
  std::string out, before;
  const auto add = [&](int64_t end) {
    const std::string text = decoded(end);
    if (text.size() >= before.size()) out += text.substr(before.size());
    before = text;
  };
  for (const TokenSpan& span : example.supervised) {
    add(span.begin);
    out += "«";
    add(span.end);
    out += "»";
  }
  add(static_cast<int64_t>(example.ids.size()));
  return out;
}

void check_ends(const Session& session) {
  const std::optional<int32_t> end = session.task->end_token(*session.tokenizer);
  if (!end) return;
  for (const EncodedExample& e : session.train.examples) {
    const bool ends = !e.supervised.empty() && e.ids.back() == *end &&
                      e.supervised.back().end == static_cast<int64_t>(e.ids.size());
    if (!ends)
      throw UserError(session.train.data->source + " example " + std::to_string(e.id),
                      "does not end with a supervised " + session.tokenizer->token_of(*end) +
                          ": the model would not learn to stop",
                      "Correct the example, or choose the token with task.end.");
  }
}

}  // namespace

int64_t model_parameters(Model& model) {
  int64_t out = 0;
  for (const WeightSlot& slot : model.sites().weights) out += slot.view().numel();
  return out;
}

Preflight preflight(Session& session) {
  MIXTUNE_CHECK(session.task && session.train.data, "a preflight needs a task and training data");
  Preflight out;
  const ModelConfig& model = session.model->config();
  out.model = session.config.model.path;
  out.model_type =
      fmt::format("{}, {} layers, width {}", model.model_type, model.layers, model.hidden_size);
  out.method = method_title(session.config.method);
  out.device = session.device.str();
  out.model_parameters = model_parameters(*session.model);
  out.trainable_parameters = session.attachment->trainables.count();
  out.attached = session.attachment->table;
  out.kinds = count_groups(*session.attachment);
  describe_loading(session, out);

  out.sets.push_back(summarize(session, session.train));
  for (const EncodedSet& set : session.evaluation) out.sets.push_back(summarize(session, set));
  if (!session.train.examples.empty()) {
    const EncodedExample& first = session.train.examples.front();
    out.example_ids = first.ids;
    out.example_text = marked_text(*session.tokenizer, first);
    if (session.task->is_regression())
      out.example_label = fmt::format("{:g}", first.score);
    else if (!session.task->labels().empty())
      out.example_label = session.label_name(first.label);
  }

  check_ends(session);
  const BatchPlan plan = batch_plan(session);
  const TrainSettings& train = session.config.train;
  out.steps = total_steps(train, plan);
  out.steps_per_epoch = plan.steps_in(0);
  out.tokens_per_epoch = out.sets.front().lengths.tokens;
  out.epochs = static_cast<double>(out.steps) /
               static_cast<double>(std::max<int64_t>(1, out.steps_per_epoch));
  out.tokens_per_step = static_cast<double>(out.tokens_per_epoch) /
                        static_cast<double>(std::max<int64_t>(1, out.steps_per_epoch));
  const double mean_length =
      static_cast<double>(out.tokens_per_epoch) /
      static_cast<double>(std::max<int64_t>(1, out.sets.front().lengths.examples));
  const bool is_kept = LastGood::is_kept(out.trainable_parameters, out.model_parameters);
  const int64_t kept = is_kept ? 12 * out.trainable_parameters : 0;  // parameters and moments
  out.memory = {.weights = 4 * out.model_parameters,
                .gradients = 4 * out.trainable_parameters,
                .activations = activation_bytes(session, micro_batch_tokens(session, mean_length),
                                                mean_length),
                .optimizer = 8 * out.trainable_parameters + kept};
  if (session.model->is_language_model()) {
    const int64_t vocabulary = session.model->config().vocab_size;
    out.memory.logits = 4 * 2 * vocabulary * language_chunk(vocabulary);
  }
  if (session.device.is_cpu()) out.memory_available = available_memory();
  warn(session, out);
  return out;
}

std::string render(const Preflight& p) {
  std::string out = fmt::format("model   {} ({}), {} parameters, on {}\n", p.model, p.model_type,
                                grouped(p.model_parameters), p.device);
  out += fmt::format("method  {}: {} trainable parameters ({:.3f} %)", p.method,
                     grouped(p.trainable_parameters),
                     p.model_parameters ? 100.0 * static_cast<double>(p.trainable_parameters) /
                                              static_cast<double>(p.model_parameters)
                                        : 0.0);
  for (const GroupCount& kind : p.kinds)
    out += fmt::format("  {} {}", kind.kind, grouped(kind.parameters));
  out += "\nloading\n";
  for (const std::string& line : p.loading) out += "  " + line + "\n";
  out += "attached\n";
  const std::vector<SiteLine> lines = merge_sites(p.attached);
  size_t width = 0;
  for (const SiteLine& line : lines) width = std::max(width, line.site.size());
  for (const SiteLine& line : lines)
    out += fmt::format("  {:<{}}  x{:<4} {:>12}  {}\n", line.site, width, line.count,
                       grouped(line.parameters), line.what);
  out += "data\n";
  for (const SetSummary& set : p.sets) out += render_set(set);
  out += fmt::format("example\n  {}\n", p.example_text);
  if (!p.example_label.empty()) out += fmt::format("  label {}\n", p.example_label);
  out += fmt::format("steps   {} ({} an epoch, {:.1f} epochs), {:.0f} tokens a step, {} an epoch\n",
                     grouped(p.steps), grouped(p.steps_per_epoch), p.epochs, p.tokens_per_step,
                     grouped(p.tokens_per_epoch));
  out += fmt::format("memory  about {}: weights {}, gradients {}, optimizer {}, activations {}",
                     bytes_text(p.memory.total()), bytes_text(p.memory.weights),
                     bytes_text(p.memory.gradients), bytes_text(p.memory.optimizer),
                     bytes_text(p.memory.activations));
  if (p.memory.logits > 0) out += fmt::format(", logits {}", bytes_text(p.memory.logits));
  if (p.memory_available > 0) out += fmt::format("; {} available", bytes_text(p.memory_available));
  return out;
}

}  // namespace mixtune
