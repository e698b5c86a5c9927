// Which block each position of a MoLEx model borrowed, drawn in a terminal from a run's
// routing.safetensors.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace molt {

struct RoutingCounts {
  std::vector<std::vector<int64_t>> choices;  // [positions][blocks], how often each was chosen
  std::vector<double> entropy;  // [positions], mean entropy of the gate in nats; nan: none
};

// RUN/routing.safetensors; nothing where the run has none because its method does not route.
// UserError where the file is not what a run writes.
std::optional<RoutingCounts> read_routing(const std::filesystem::path& run);

// A row for each position, a column for each block, a shade and a percentage for each pair; then
// the entropy as a share of its maximum.
std::string routing_chart(const RoutingCounts& counts);

}  // namespace molt
