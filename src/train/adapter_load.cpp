#include "train/adapter_load.h"

#include <algorithm>
#include <set>

#include "base/config_json.h"

namespace mixtune {
namespace {

// A destination of a tensor in a file.
struct Place {
  std::string name;
  Tensor tensor;
  bool is_head;
};

std::vector<Place> places_of(const Attachment& attachment) {
  std::vector<Place> out;
  for (const Segment& segment : attachment.trainables.segments())
    out.push_back({segment.name, attachment.trainables.value_of(segment), segment.group == "head"});
  for (const FrozenBuffer& buffer : attachment.buffers)
    out.push_back({buffer.name, buffer.tensor->detach(), false});
  return out;
}

// Names may or may not have the model's prefix: "encoder..." and "bert.encoder...".
const Place* place_for(const std::string& name, const std::vector<Place>& places) {
  const Place* found = nullptr;
  for (const Place& place : places) {
    if (place.name == name) return &place;
    const bool same_end = place.name.ends_with("." + name) || name.ends_with("." + place.name);
    if (same_end && found) return nullptr;
    if (same_end) found = &place;
  }
  return found;
}

std::string some(std::vector<std::string> names) {
  const size_t count = names.size();
  names.resize(std::min<size_t>(count, 3));
  return join_names(names) + (count > 3 ? " and " + std::to_string(count - 3) + " more" : "");
}

Json method_json(const Choice& method) {
  if (method.name.empty()) return nullptr;
  Json out = to_json(*method.config);
  out["name"] = method.name;
  return out;
}

}  // namespace

AdapterReport place_adapter(const AdapterContents& contents, Attachment& attachment, AdapterUse use,
                            const MethodMatch& match, const std::string& where) {
  const at::NoGradGuard no_grad;
  const std::vector<Place> places = places_of(attachment);
  AdapterReport report;
  std::set<std::string> filled, reinitialized;
  std::vector<std::string> unmatched;
  for (const auto& [name, tensor] : contents.tensors) {
    const Place* place = place_for(name, places);
    if (!place) {
      unmatched.push_back(name);
      continue;
    }
    if (place->tensor.sizes() != tensor.sizes()) {
      if (place->is_head && use == AdapterUse::start) {
        reinitialized.insert(place->name);
        continue;
      }
      throw UserError(
          where,
          name + " has shape " + shape_text(tensor) + "; this run has " + shape_text(place->tensor),
          "Use the method options and the task that the adapter was trained with.");
    }
    if (!tensor.is_floating_point() || !tensor.isfinite().all().item<bool>())
      throw UserError(where, name + " has values that are not finite",
                      "The adapter is damaged; use another one.");
    filled.insert(place->name);
    place->tensor.copy_(tensor);
    ++report.loaded;
  }
  if (!unmatched.empty())
    throw UserError(where,
                    std::to_string(unmatched.size()) +
                        " tensors do not match this model and method: " + some(unmatched),
                    "Use the model and the method that the adapter was trained with.");
  std::vector<std::string> empty;
  for (const Place& place : places) {
    if (filled.contains(place.name)) continue;
    const bool is_outer = !match.outer.empty() && place.name.starts_with(match.outer);
    if (is_outer ||
        (place.is_head && (use == AdapterUse::start || contents.outputs == std::nullopt)))
      report.newly_initialized.push_back(place.name);
    else
      empty.push_back(place.name);
  }
  if (!empty.empty())
    throw UserError(
        where, std::to_string(empty.size()) + " tensors of this method are missing: " + some(empty),
        "Use the method options that the adapter was trained with.");
  return report;
}

MethodMatch match_method(const AdapterContents& contents, const Choice& method, AdapterUse use,
                         const std::string& where) {
  MethodMatch out;
  std::string prefix = "method";
  Json ours = method_json(method);
  const Json theirs = Json::parse(contents.method);
  if (use == AdapterUse::start && !ours.is_null() && ours.at("name") != theirs.at("name") &&
      ours.contains("over") && ours.at("over").is_object() &&
      ours.at("over").at("name") == theirs.at("name")) {
    out.outer = kOuterPrefix;
    ours = Json(ours.at("over"));
    prefix += ".over";
  }
  if (ours.is_null() || ours.at("name") != theirs.at("name"))
    throw UserError(where,
                    "was trained with the method " + theirs.at("name").get<std::string>() +
                        "; this run has " + method_title(method),
                    "Use the adapter's method.");
  const Json flat_ours = ours.flatten(), flat_theirs = theirs.flatten();
  for (const auto& [pointer, value] : flat_theirs.items()) {
    const auto found = flat_ours.find(pointer);
    const Json here = found == flat_ours.end() ? Json() : *found;
    if (here == value) continue;
    const std::string key = prefix + "." + dotted(pointer);
    const std::string line =
        key + " is " + value.dump() + " in the adapter, " + here.dump() + " here";
    if (key.ends_with(".lora_alpha") || key.ends_with(".use_rslora"))
      throw UserError(where, line + ", which would change the scaling of the adapter",
                      "Set " + key + "=" + value.dump() + ".");
    out.differences.push_back(line);
  }
  return out;
}

AdapterContents adapter_of(Session& session, NamedTensors tensors) {
  AdapterContents out;
  const Json method = method_json(session.config.method);
  MIXTUNE_CHECK(!method.is_null(), "the config has no method");
  out.method = method.dump();
  if (session.task) {
    Json task = to_json(*session.config.task.config);
    // Paths and limits of the data are not part of the adapter.
    for (const char* key :
         {"data", "train", "dev", "test", "limit_train", "limit_dev", "dev_share"})
      task.erase(key);
    task["name"] = session.config.task.name;
    out.task = task.dump();
    out.labels = session.task->labels();
  }
  for (const LinearGroup* group : session.model->sites().groups)
    for (const Member& member : group->members())
      if (!group->fused.empty() && find_tensor(tensors, member.name + ".lora_A.weight"))
        out.splits_modules = true;
  out.head = session.config.model.head;
  out.train_pooler = session.config.model.train_pooler;
  out.predicts_tokens = session.model->is_language_model();
  if (session.model->labels() > 0 && !out.predicts_tokens) out.outputs = session.model->labels();
  out.tensors = std::move(tensors);
  return out;
}

std::filesystem::path adapter_folder(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::exists(path / "config.yaml", error) &&
      !std::filesystem::exists(path / "adapter_config.json", error))
    return path / "adapter";
  return path;
}

}  // namespace mixtune
