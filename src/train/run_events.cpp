#include "train/run_events.h"

#include <cmath>

#include "train/routing_report.h"

namespace mixtune {
namespace {

Json numbers(const NamedNumbers& values) {
  Json out = Json::object();
  for (const auto& [name, value] : values) out[name] = value;
  return out;
}

void add_numbers(Json& out, const std::vector<MetricValue>& values) {
  for (const MetricValue& m : values) out[m.name] = m.value;
}

// Converts a tensor to nested lists; integral values become integers.
Json nested(const Tensor& tensor) {
  if (tensor.dim() == 0) {
    const double value = tensor.item<double>();
    return std::isfinite(value) && value == std::floor(value) ? Json(static_cast<int64_t>(value))
                                                              : Json(value);
  }
  Json out = Json::array();
  for (int64_t i = 0; i < tensor.size(0); ++i) out.push_back(nested(tensor[i]));
  return out;
}

}  // namespace

Json step_event(const StepReport& r) {
  Json out = {{"event", "step"},
              {"step", r.step},
              {"epoch", r.epoch},
              {"loss", r.loss},
              {"learning_rate", r.learning_rate},
              {"gradient_norm", r.gradient_norm},
              {"sequences", r.sequences},
              {"tokens", r.tokens},
              {"tokens_per_second", r.tokens_per_second}};
  if (!r.auxiliary.empty()) out["auxiliary"] = numbers(r.auxiliary);
  return out;
}

Json evaluation_event(const EvaluationReport& r) {
  Json sets = Json::array(), all = Json::object();
  for (const SetReport& one : r.sets) {
    Json metrics = Json::object();
    add_numbers(metrics, one.metrics);
    add_numbers(all, one.metrics);
    sets.push_back({{"set", one.set},
                    {"examples", one.examples},
                    {"loss", one.loss},
                    {"metrics", std::move(metrics)}});
  }
  return {{"event", "evaluation"}, {"step", r.step}, {"epoch", r.epoch},
          {"sets", sets},          {"metrics", all}, {"main_metric", r.main_metric},
          {"best", r.is_best}};
}

Json routing_event(const RoutingRecord& record, int64_t step, const char* phase) {
  Json out = Json::object();
  for (const auto& [name, tensor] : routing_tensors(record)) out[name] = nested(tensor);
  if (!out.empty()) out.update({{"event", "routing"}, {"step", step}, {"phase", phase}});
  return out;
}

}  // namespace mixtune
