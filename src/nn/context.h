// What travels sideways through a forward pass: randomness, standing routing decisions, measures of
// the auxiliary losses, the record for pictures. A block is told by its call path which run of it
// this is.
#pragma once

#include "tensor/packed_batch.h"
#include "tensor/random.h"

namespace mixtune {

enum class Phase { train, evaluate };
enum class Use {
  own,
  borrowed
};  // a block at its own position, or borrowed by another one (MoLEx)

// Names one run of one block: decisions, caches and random masks are keyed by it.
struct CallPath {
  int64_t pass = 0, position = 0;
  Use use = Use::own;
  int64_t layer = 0;

  auto operator<=>(const CallPath&) const = default;
};

// Sums a tensor over all processes, in place; the identity when alone.
class Reducer {
 public:
  virtual ~Reducer() = default;
  virtual void all_reduce(Tensor&) {}
  virtual int64_t size() const { return 1; }
};

// What a router decided: one choice for each unit (a sequence, or the whole batch), kept on the
// host.
struct Decision {
  std::vector<int64_t> choice;
};

// Sums that the auxiliary losses read. The layout is fixed when a method attaches, so that every
// process sees the same one however its routing went; the sums stay in the graph.
class LossStatistics {
 public:
  // A row of `columns` sums for one site; returns its number.
  int64_t add_site(int64_t columns);
  void clear();
  void add(int64_t site, const Tensor& sums);  // [columns]
  // The sums of a site, all-reduced; [columns].
  Tensor sums(int64_t site, Reducer& reducer) const;
  bool measured(int64_t site) const { return sums_.at(site).defined(); }

 private:
  std::vector<int64_t> columns_;
  std::vector<Tensor> sums_;
};

// Of the router of one linear, over tokens.
struct ExpertRecord {
  Tensor load;                         // [experts] double: how many tokens used each
  double entropy = 0;                  // normalised Shannon entropies, summed
  int64_t tokens = 0, everything = 0;  // those that were sent to all experts by an entropy switch
};

// Counts for pictures: how often each position chose each block, and the entropy of the gate there.
struct RoutingRecord {
  Tensor choices;                               // [positions, blocks] int64
  std::vector<double> entropy;                  // per position, summed over tokens, in nats
  std::vector<int64_t> tokens;                  // per position, the number of summands
  std::map<std::string, ExpertRecord> experts;  // by module path
  bool keeps_probabilities = false;
  std::map<int64_t, Tensor> probabilities;  // by position: [T, blocks] of the last pass, where kept

  void count(int64_t position, int64_t positions, int64_t layers, const Decision& decision);
  void add_entropy(int64_t position, int64_t positions, double sum, int64_t tokens);
};

class DecodeState;  // nn/decode_state.h

class ForwardContext {
 public:
  ForwardContext(Phase phase, RandomKey seed, int64_t step, Reducer& reducer)
      : phase(phase), seed(seed), step(step), reducer(reducer) {}

  const Phase phase;
  const RandomKey seed;
  const int64_t step;  // the optimizer step that randomness belongs to
  Reducer& reducer;
  LossStatistics loss_statistics;
  RoutingRecord* record = nullptr;  // null when nobody looks
  DecodeState* decode = nullptr;    // null unless texts grow token by token
  // While texts are written, `SequenceLayout::example` is the place of a text among those that run;
  // here is the number that each of them keeps. Empty: it is the example itself.
  std::vector<int64_t> sequence_ids;

  // The decision that stands for this router and path, else a new one, which then stands.
  const Decision& route(const std::string& router, const CallPath& path,
                        const std::function<Decision()>& make);
  // Lets a decision stand before the forward pass: forced routing, frozen votes.
  void pin(const std::string& router, const CallPath& path, Decision decision);
  // Texts are being written, beside a cache or without.
  bool generates() const { return !sequence_ids.empty(); }
  // What a router pooled over each text's prompt, while texts are written: the values, [S, C], that
  // stand for this router, path and the texts of `rows`, else new ones, which then stand.
  Tensor pooled(const std::string& router, const CallPath& path, const SequenceLayout& rows,
                const std::function<Tensor()>& make);
  // From now on the sequences are those of the given old places: decisions, what was pooled and
  // numbers follow them.
  void keep_sequences(const std::vector<int64_t>& sequences);

  // The mask of a dropout at `site` for `purpose`; inactive outside training.
  DropoutMask mask(double probability, std::string_view site, const CallPath& path,
                   std::string_view purpose, const SequenceLayout& rows) const;

 private:
  std::map<std::pair<std::string, CallPath>, Decision> decisions_;
  std::map<std::pair<std::string, CallPath>, std::vector<Tensor>> pooled_;  // of each text [1, C]
};

// One call of a block or of a part of it. `read`, where set, names the rows whose outputs are read:
// a block computes only those (the last block under a classification head).
struct Call {
  const SequenceLayout& rows;
  CallPath path;
  ForwardContext& context;
  const SelectedRows* read = nullptr;
};

}  // namespace mixtune
