// State of one forward pass, passed explicitly: randomness, pinned routing decisions, sums for the
// auxiliary losses, the routing record. The call path tells a layer which of its runs this is,
// since MoLEx runs a layer several times in one pass.
#pragma once

#include "tensor/packed_batch.h"
#include "tensor/random.h"

namespace mixtune {

enum class Phase { train, evaluate };
// A layer runs at its own position or is borrowed by another position (MoLEx).
enum class Use { own, borrowed };

// Identifies one run of one layer; decisions, caches and random masks are keyed by it.
struct CallPath {
  int64_t pass = 0, position = 0;
  Use use = Use::own;
  int64_t layer = 0;

  auto operator<=>(const CallPath&) const = default;
};

// Sums a tensor over all processes, in place. This base class serves a single process.
class Reducer {
 public:
  virtual ~Reducer() = default;
  virtual void all_reduce(Tensor&) {}
  virtual int64_t size() const { return 1; }
};

// A routing decision, stored on the host: one choice per sequence, or one for the whole batch.
struct Decision {
  std::vector<int64_t> choice;
};

// Sums from which the auxiliary losses are computed. The layout is fixed when a method attaches, so
// that it is equal in all processes whatever their routing. The sums stay in the autograd graph.
class LossStatistics {
 public:
  // Adds a row of `columns` sums for one site; returns the site's index.
  int64_t add_site(int64_t columns);
  void clear();
  void add(int64_t site, const Tensor& sums);  // [columns]
  // The sums of a site, all-reduced; [columns].
  Tensor sums(int64_t site, Reducer& reducer) const;
  bool has_sums(int64_t site) const { return sums_.at(site).defined(); }

 private:
  std::vector<int64_t> columns_;
  std::vector<Tensor> sums_;
};

// Routing statistics of one linear's router, over tokens.
struct ExpertRecord {
  Tensor load;              // [experts] double: number of tokens per expert
  double entropy = 0;       // sum of normalized Shannon entropies
  int64_t tokens = 0;       // all tokens
  int64_t all_experts = 0;  // tokens that an entropy switch sent to all experts
};

// Routing statistics: how often each position chose each layer, and the entropy of the gate there.
struct RoutingRecord {
  Tensor choices;                               // [positions, layers] int64
  std::vector<double> entropy;                  // per position, summed over tokens, in nats
  std::vector<int64_t> tokens;                  // per position, the number of summands
  std::map<std::string, ExpertRecord> experts;  // by module path
  bool keeps_probabilities = false;
  std::map<int64_t, Tensor> probabilities;  // by position, if kept: [T, layers] of the last pass

  void count(int64_t position, int64_t positions, int64_t layers, const Decision& decision);
  void add_entropy(int64_t position, int64_t positions, double sum, int64_t tokens);
};

class KeyValueCache;  // nn/key_value_cache.h

class ForwardContext {
 public:
  ForwardContext(Phase phase, RandomKey seed, int64_t step, Reducer& reducer)
      : phase(phase), seed(seed), step(step), reducer(reducer) {}

  const Phase phase;
  const RandomKey seed;
  const int64_t step;  // the optimizer step, part of the random keys
  Reducer& reducer;
  LossStatistics loss_statistics;
  RoutingRecord* record = nullptr;  // null: routing is not recorded
  KeyValueCache* decode = nullptr;  // null unless generation uses a key-value cache
  // During generation `SequenceLayout::example` is the index of a sequence among those that still
  // run; this is the constant id of each. Empty outside generation: the example is the id.
  std::vector<int64_t> sequence_ids;

  // The decision pinned for this router and path; if there is none, makes one and pins it.
  const Decision& route(const std::string& router, const CallPath& path,
                        const std::function<Decision()>& make);
  // Pins a decision before the forward pass, for forced routing or frozen votes.
  void pin(const std::string& router, const CallPath& path, Decision decision);
  // Whether this is a pass of generation, with or without a cache.
  bool generates() const { return !sequence_ids.empty(); }
  // Values pooled over the prompts, [S, C], stored during generation for this router, path and the
  // sequences of `rows`; if there are none, makes and stores them.
  Tensor pooled(const std::string& router, const CallPath& path, const SequenceLayout& rows,
                const std::function<Tensor()>& make);
  // Keeps the sequences at the given indices, in this order; decisions, pooled values and ids
  // follow them.
  void keep_sequences(const std::vector<int64_t>& sequences);

  // The dropout mask of `site` for `purpose`; inactive outside training.
  DropoutMask mask(double probability, std::string_view site, const CallPath& path,
                   std::string_view purpose, const SequenceLayout& rows) const;

 private:
  std::map<std::pair<std::string, CallPath>, Decision> decisions_;
  std::map<std::pair<std::string, CallPath>, std::vector<Tensor>> pooled_;  // per sequence [1, C]
};

// One call of a layer or of a part of it. `read`, if set, lists the rows whose outputs are used; a
// layer computes only those (the last layer below a classification head).
struct Call {
  const SequenceLayout& rows;
  CallPath path;
  ForwardContext& context;
  const SelectedRows* read = nullptr;
};

}  // namespace mixtune
