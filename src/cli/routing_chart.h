// Which block each position of a MoLEx model borrowed, and how the router of each linear used its
// experts, drawn in a terminal from a run's routing.safetensors.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace mixtune {

struct ExpertCounts {
  std::string site;                                // module path
  std::vector<double> load;                        // tokens that used each expert
  double tokens = 0, entropy = 0, everything = 0;  // as `<module>.routing` has them
};

struct RoutingCounts {
  std::vector<std::vector<int64_t>> choices;  // [positions][blocks], how often each was chosen
  std::vector<double> entropy;  // [positions], mean entropy of the gate in nats; nan: none
  std::vector<ExpertCounts> experts = {};  // in the order of the layers
};

// RUN/routing.safetensors; nothing where the run has none because its method does not route.
// UserError where the file is not what a run writes.
std::optional<RoutingCounts> read_routing(const std::filesystem::path& run);

// A row for each position, a column for each block, a shade and a percentage for each pair; then
// the entropy as a share of its maximum. Below, a row for each linear with experts: how many a
// token used, the entropy, the share of tokens sent to all, and the share of tokens that used each
// expert.
std::string routing_chart(const RoutingCounts& counts);

}  // namespace mixtune
