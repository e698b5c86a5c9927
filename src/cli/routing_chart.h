// Charts of a run's routing.safetensors for a terminal: the layer that MoLEx mixed into each layer,
// and the use of the experts of each linear layer.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace mixtune {

struct ExpertCounts {
  std::string site;                                 // module path
  std::vector<double> load;                         // tokens that used each expert
  double tokens = 0, entropy = 0, all_experts = 0;  // the values of `<module>.routing`
};

struct RoutingCounts {
  std::vector<std::vector<int64_t>> choices;  // [layers][layers]: how often a layer chose each
  std::vector<double> entropy;  // [layers], mean entropy of the router in nats; nan: none
  std::vector<ExpertCounts> experts = {};  // in the order of the layers
};

// Reads RUN/routing.safetensors; empty if the run has none because its method has no router.
// UserError if the file does not have the format that runs write.
std::optional<RoutingCounts> read_routing(const std::filesystem::path& run);

// A row for each mixed layer and a column for each layer that it can choose, with a shade and a
// percentage for each pair, then the entropy relative to its maximum. Below, a row for each linear
// layer with experts: mean number of experts per token, relative entropy, the share of tokens that
// use all experts, and the share of tokens that use each expert.
std::string routing_chart(const RoutingCounts& counts);

}  // namespace mixtune
