#include "train/diagnosis.h"

#include <cmath>

namespace mixtune {
namespace {

bool is_finite(const Tensor& t) {
  return t.isfinite().all().item<bool>();
}

// The first router, in the order of a forward pass, whose entropy is not finite; or "".
std::string first_router(Session& session, const RoutingRecord& record) {
  for (const LinearGroup* group : session.model->sites().groups)
    for (const Member& member : group->members()) {
      const auto found = record.experts.find(member.name);
      if (found != record.experts.end() && !std::isfinite(found->second.entropy))
        return "the router of " + member.name;
    }
  // Routers of whole feed-forwards are found by the module of their linears, since the map sorts
  // layer names as text ("10" before "2").
  for (const FeedForward* feed_forward : session.model->sites().feed_forwards)
    for (const auto& [site, counts] : record.experts)
      if (!std::isfinite(counts.entropy) && feed_forward->up.site().starts_with(site + "."))
        return "the router of " + site;
  return "";
}

}  // namespace

std::string first_not_finite(Session& session, const StepBatches& batches, RandomKey seed,
                             int64_t step, Reducer& reducer) {
  const at::NoGradGuard no_grad;
  LayerStack& stack = *session.model->sites().stack;
  for (const MicroBatch& batch : batches) {
    ForwardContext context(Phase::train, seed, step, reducer);
    context.loss_statistics = session.attachment->loss_statistics;
    context.loss_statistics.clear();
    RoutingRecord record;
    context.record = &record;
    std::vector<Tensor> states;
    stack.hidden_states = &states;
    // The logits are not computed, since those of a language model are large.
    session.model->last_hidden_state(pack_examples(session, session.train.examples, batch),
                                     context);
    stack.hidden_states = nullptr;
    // A router reads the output of the layer before it, so the earlier of the two is the cause.
    for (size_t n = 0; n < states.size(); ++n) {
      if (is_finite(states[n])) continue;
      const std::string router = n > 0 ? first_router(session, record) : "";
      if (!router.empty()) return router;
      return n == 0 ? "the embeddings" : "the output of layer " + std::to_string(n - 1);
    }
    if (const std::string router = first_router(session, record); !router.empty()) return router;
  }
  return "";
}

}  // namespace mixtune
