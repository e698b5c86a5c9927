#include "files/state_dict.h"

#include <cstring>
#include <deque>
#include <limits>
#include <unordered_map>

#include "base/error.h"

namespace mixtune {
namespace {

struct StorageType {
  const char* name;
  DType type;
};

constexpr StorageType kStorageTypes[] = {
    {"torch.DoubleStorage", DType::F64}, {"torch.FloatStorage", DType::F32},
    {"torch.HalfStorage", DType::F16},   {"torch.BFloat16Storage", DType::BF16},
    {"torch.LongStorage", DType::I64},   {"torch.IntStorage", DType::I32},
    {"torch.ShortStorage", DType::I16},  {"torch.CharStorage", DType::I8},
    {"torch.ByteStorage", DType::U8},    {"torch.BoolStorage", DType::BOOL}};

// The names that a pickle may refer to. They are treated as data and never called.
constexpr const char* kOrderedDict = "collections.OrderedDict";
constexpr const char* kTensor = "torch._utils._rebuild_tensor_v2";
constexpr const char* kParameter = "torch._utils._rebuild_parameter";

constexpr size_t kMostDimensions = 64;
constexpr int64_t kMostElements = std::numeric_limits<int64_t>::max() / 8;  // of 8 bytes

enum class Kind { mark, other, integer, text, sequence, dictionary, name, storage, tensor };

struct Value {
  Kind kind = Kind::other;
  int64_t integer = 0;
  std::string text = {};           // text, name
  std::vector<Value*> items = {};  // sequence; of a dictionary key, value, key, value
  PickledTensor tensor = {};       // storage, tensor
};

// Makes one pass over the opcodes (listed in Python's pickletools). Values are stored in one arena,
// so that nesting and self-referential lists cause no problems.
class StateDictReader {
 public:
  StateDictReader(std::string_view pickle, std::string where)
      : rest_(pickle), where_(std::move(where)) {}

  std::vector<PickledTensor> read() {
    while (!done_) step();
    const Value& whole = *pop();
    if (whole.kind != Kind::dictionary) fail("is not a dictionary of tensors");
    std::vector<PickledTensor> out;
    for (size_t i = 0; i + 1 < whole.items.size(); i += 2) {
      if (whole.items[i]->kind != Kind::text || whole.items[i + 1]->kind != Kind::tensor) continue;
      out.push_back(whole.items[i + 1]->tensor);
      out.back().name = whole.items[i]->text;
    }
    return out;
  }

 private:
  [[noreturn]] void fail(const std::string& found) const {
    throw UserError(where_, found,
                    "Expected the state_dict of a model; save it as model.safetensors.");
  }
  [[noreturn]] void malformed() const { fail("contains a damaged pickle"); }

  std::string_view take(uint64_t count) {
    if (count > rest_.size()) malformed();
    const std::string_view out = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return out;
  }

  // Reads a little-endian number, as in pickles.
  uint64_t number(size_t bytes) {
    const std::string_view text = take(bytes);
    uint64_t out = 0;
    for (size_t i = 0; i < bytes; ++i)
      out |= static_cast<uint64_t>(static_cast<unsigned char>(text[i])) << (8 * i);
    return out;
  }

  std::string line() {
    const size_t end = rest_.find('\n');
    if (end == rest_.npos) malformed();
    const std::string out(rest_.substr(0, end));
    rest_.remove_prefix(end + 1);
    return out;
  }

  Value* make(Kind kind) {
    arena_.push_back({.kind = kind});
    return &arena_.back();
  }
  void push(Value* value) { stack_.push_back(value); }
  void push_integer(int64_t integer) {
    push(make(Kind::integer));
    stack_.back()->integer = integer;
  }
  void push_text(std::string_view text) {
    push(make(Kind::text));
    stack_.back()->text = text;
  }
  Value* pop() {
    if (stack_.empty() || stack_.back()->kind == Kind::mark) malformed();
    Value* out = stack_.back();
    stack_.pop_back();
    return out;
  }
  Value* top() const {
    if (stack_.empty() || stack_.back()->kind == Kind::mark) malformed();
    return stack_.back();
  }
  Value* top_of(Kind kind) const {
    Value* out = top();
    if (out->kind != kind) malformed();
    return out;
  }

  // Pops the values above the last mark, and the mark.
  std::vector<Value*> pop_marked() {
    size_t at = stack_.size();
    while (at > 0 && stack_[at - 1]->kind != Kind::mark) --at;
    if (at == 0) malformed();
    std::vector<Value*> out(stack_.begin() + static_cast<int64_t>(at), stack_.end());
    stack_.resize(at - 1);
    return out;
  }

  void push_sequence(std::vector<Value*> items) {
    push(make(Kind::sequence));
    stack_.back()->items = std::move(items);
  }
  void push_last(size_t count) {
    std::vector<Value*> items(count);
    for (size_t i = count; i-- > 0;) items[i] = pop();
    push_sequence(std::move(items));
  }

  void append(const std::vector<Value*>& items, Kind kind) {
    if (kind == Kind::dictionary && items.size() % 2 != 0) malformed();
    Value* to = top_of(kind);
    to->items.insert(to->items.end(), items.begin(), items.end());
  }

  void push_name(const std::string& name) {
    bool known = name == kOrderedDict || name == kTensor || name == kParameter;
    for (const StorageType& one : kStorageTypes) known = known || name == one.name;
    if (!known) fail("refers to " + name + ", which is not part of a state_dict");
    push(make(Kind::name));
    stack_.back()->text = name;
  }

  // ("storage", type, key, device, elements)
  void push_storage() {
    const Value& id = *pop();
    if (id.kind != Kind::sequence || id.items.size() < 5 || id.items[1]->kind != Kind::name ||
        id.items[2]->kind != Kind::text || id.items[4]->kind != Kind::integer ||
        id.items[4]->integer < 0 || id.items[4]->integer > kMostElements)
      malformed();
    Value* out = make(Kind::storage);
    bool known = false;
    for (const StorageType& one : kStorageTypes)
      if (id.items[1]->text == one.name) {
        out->tensor.type = one.type;
        known = true;
      }
    if (!known) malformed();
    out->tensor.key = id.items[2]->text;
    out->tensor.elements = id.items[4]->integer;
    push(out);
  }

  std::vector<int64_t> integers(const Value& value) const {
    if (value.kind != Kind::sequence || value.items.size() > kMostDimensions) malformed();
    std::vector<int64_t> out;
    for (const Value* item : value.items) {
      if (item->kind != Kind::integer || item->integer < 0) malformed();
      out.push_back(item->integer);
    }
    return out;
  }

  // Whether every element of the view lies within the storage and their count does not exceed it.
  static bool fits(const PickledTensor& t) {
    int64_t last = t.offset, count = 1;
    for (size_t d = 0; d < t.sizes.size(); ++d) {
      if (t.sizes[d] == 0) return true;
      int64_t step = 0;
      if (__builtin_mul_overflow(t.sizes[d] - 1, t.strides[d], &step) ||
          __builtin_add_overflow(last, step, &last) ||
          __builtin_mul_overflow(count, t.sizes[d], &count))
        return false;
    }
    return last < t.elements && count <= t.elements;
  }

  // (storage, offset, sizes, strides, ...)
  Value* tensor_of(const Value& arguments) {
    if (arguments.items.size() < 4 || arguments.items[0]->kind != Kind::storage ||
        arguments.items[1]->kind != Kind::integer || arguments.items[1]->integer < 0)
      malformed();
    Value* out = make(Kind::tensor);
    out->tensor = arguments.items[0]->tensor;
    out->tensor.offset = arguments.items[1]->integer;
    out->tensor.sizes = integers(*arguments.items[2]);
    out->tensor.strides = integers(*arguments.items[3]);
    if (out->tensor.sizes.size() != out->tensor.strides.size()) malformed();
    if (!fits(out->tensor)) fail("contains a tensor that is larger than its data");
    return out;
  }

  void reduce() {
    const Value& arguments = *pop();
    const Value& name = *pop();
    if (name.kind != Kind::name || arguments.kind != Kind::sequence) malformed();
    if (name.text == kOrderedDict && arguments.items.empty())
      push(make(Kind::dictionary));
    else if (name.text == kTensor)
      push(tensor_of(arguments));
    else if (name.text == kParameter && !arguments.items.empty() &&
             arguments.items[0]->kind == Kind::tensor)
      push(arguments.items[0]);
    else
      fail("constructs " + name.text + " with unsupported arguments");
  }

  void remember(uint64_t number) { memo_[number] = top(); }
  void recall(uint64_t number) {
    const auto found = memo_.find(number);
    if (found == memo_.end()) malformed();
    push(found->second);
  }

  void step() {
    const auto code = static_cast<unsigned char>(take(1)[0]);
    switch (code) {
      case 0x80:
        take(1);
        break;  // PROTO
      case 0x95:
        take(8);
        break;  // FRAME
      case '.':
        done_ = true;
        break;  // STOP
      case '(':
        push(make(Kind::mark));
        break;
      case '0':
        pop();
        break;  // POP
      case 'N':
      case 0x88:
      case 0x89:  // None, True, False
        push(make(Kind::other));
        break;
      case 'G':
        take(8);
        push(make(Kind::other));
        break;  // a float
      case 'K':
        push_integer(static_cast<int64_t>(number(1)));
        break;
      case 'M':
        push_integer(static_cast<int64_t>(number(2)));
        break;
      case 'J':
        push_integer(static_cast<int32_t>(number(4)));
        break;
      case 0x8a:
        push_long(number(1));
        break;
      case 'X':
        push_text(take(number(4)));
        break;
      case 0x8c:
        push_text(take(number(1)));
        break;
      case 0x8d:
        push_text(take(number(8)));
        break;
      case 'U':
        push_text(take(number(1)));
        break;  // Python 2 string
      case 'T':
        push_text(take(number(4)));
        break;
      case ')':
        push_sequence({});
        break;
      case ']':
        push_sequence({});
        break;
      case 't':
      case 'l':
        push_sequence(pop_marked());
        break;
      case 0x85:
        push_last(1);
        break;
      case 0x86:
        push_last(2);
        break;
      case 0x87:
        push_last(3);
        break;
      case 'a': {
        Value* item = pop();
        append({item}, Kind::sequence);
        break;
      }
      case 'e':
        append(pop_marked(), Kind::sequence);
        break;
      case '}':
        push(make(Kind::dictionary));
        break;
      case 's': {
        Value* value = pop();
        Value* key = pop();
        append({key, value}, Kind::dictionary);
        break;
      }
      case 'u':
        append(pop_marked(), Kind::dictionary);
        break;
      case 'q':
        remember(number(1));
        break;
      case 'r':
        remember(number(4));
        break;
      case 0x94:
        remember(memo_.size());
        break;
      case 'h':
        recall(number(1));
        break;
      case 'j':
        recall(number(4));
        break;
      case 'c': {
        const std::string module = line();
        push_name(module + "." + line());
        break;
      }
      case 0x93:
        push_stacked_name();
        break;
      case 'Q':
        push_storage();
        break;
      case 'R':
        reduce();
        break;
      case 'b':
        pop();
        top_of(Kind::dictionary);
        break;  // BUILD: _metadata of modules
      default:
        fail("contains a pickle opcode that no state_dict has (" + std::to_string(code) + ")");
    }
  }

  void push_long(uint64_t bytes) {
    if (bytes > 8) malformed();
    uint64_t bits = number(bytes);
    const bool negative = bytes > 0 && (bits >> (8 * bytes - 1)) & 1;
    if (negative && bytes < 8) bits |= ~uint64_t{0} << (8 * bytes);
    push_integer(static_cast<int64_t>(bits));
  }

  void push_stacked_name() {
    const Value& name = *pop();
    const Value& module = *pop();
    if (name.kind != Kind::text || module.kind != Kind::text) malformed();
    push_name(module.text + "." + name.text);
  }

  std::string_view rest_;
  std::string where_;
  bool done_ = false;
  std::deque<Value> arena_;
  std::vector<Value*> stack_;
  std::unordered_map<uint64_t, Value*> memo_;
};

}  // namespace

std::vector<PickledTensor> read_state_dict(std::string_view pickle, const std::string& where) {
  return StateDictReader(pickle, where).read();
}

}  // namespace mixtune
