// The linears with the same input x (query, key and value; or a single linear): one base product
// over a fused buffer with named members, and one adapter slot. Legend: T tokens, D width of x.
#pragma once

#include "nn/context.h"
#include "tensor/packed_weight.h"

namespace mixtune {

enum class Role {
  query,
  key,
  value,
  attention_output,
  ffn_gate,
  ffn_up,
  ffn_down,
  pooler,
  classifier
};
const std::vector<std::string>& role_names();
std::string role_name(Role role);

struct Member {
  Role role;
  std::string name;    // the Hugging Face module path
  int64_t begin, end;  // its columns of the fused output
};

// Members [first, last) of a group.
struct MemberRange {
  size_t first, last;
};

class LinearGroup;

// An adapter computes the base product too, since methods change it differently: LoRA adds to it,
// IA3 scales x or y, DoRA needs the weight.
class GroupAdapter {
 public:
  virtual ~GroupAdapter() = default;
  // x [T, D] to [T, columns of `range`], counted from the first column of the range.
  virtual Tensor forward(const LinearGroup& group, const Tensor& x, const Call& call,
                         MemberRange range) = 0;
  // The weight [out, in] of one member with the adapter merged; nullopt if the adapter depends on
  // the input.
  virtual std::optional<Tensor> merged(const LinearGroup& group, size_t member) const = 0;
  // The bias [out] of one member with the adapter merged; nullopt if there is none.
  virtual std::optional<Tensor> merged_bias(const LinearGroup& group, size_t member) const;
  // Whether it uses random numbers in training.
  virtual bool is_random() const = 0;
};

class LinearGroup {
 public:
  // Weights are left uninitialized: [sum(out), in] and, unless `biased` is false, [sum(out)].
  LinearGroup(std::vector<Member> members, int64_t in, int64_t layer,
              const at::TensorOptions& options, bool biased = true);

  Tensor forward(const Tensor& x, const Call& call) const;  // [T, D] to [T, sum(out)]
  Tensor forward(const Tensor& x, const Call& call, MemberRange range) const;
  // The base product without the adapter, tracked by autograd.
  Tensor base(const Tensor& x, MemberRange range) const;
  // The packed copy of the weight if this product can use it: gradients are off, the range is the
  // whole group and the rows are few. Otherwise null.
  const PackedWeight* packed_for(const Tensor& x, MemberRange range) const;

  MemberRange all() const { return {0, members_.size()}; }
  int64_t first_column(MemberRange range) const { return members_[range.first].begin; }
  int64_t columns(MemberRange range) const {
    return members_[range.last - 1].end - members_[range.first].begin;
  }
  Tensor weight_of(MemberRange range) const;               // [columns, in], a view
  std::optional<Tensor> bias_of(MemberRange range) const;  // [columns], a view

  const std::vector<Member>& members() const { return members_; }
  int64_t in() const { return weight.size(1); }
  int64_t layer() const { return layer_; }  // -1 outside the layer stack
  const std::string& site() const { return members_.front().name; }

  // The module that holds the whole group in files (GPT-2's c_attn). Empty: one module per member.
  std::string fused;
  Tensor weight, bias;  // frozen unless a method trains them; bias may be undefined
  std::shared_ptr<GroupAdapter> adapter;       // the slot
  std::unique_ptr<const PackedWeight> packed;  // a copy of the weight during generation

 private:
  bool is_whole(MemberRange range) const {
    return range.first == 0 && range.last == members_.size();
  }

  std::vector<Member> members_;
  int64_t layer_;
};

}  // namespace mixtune
