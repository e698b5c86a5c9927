// Copies an adapter's tensors into an attachment. A tensor without a destination, or a destination
// without a tensor, is an error, since an adapter that is silently not applied is the most common
// cause of wrong results.
#pragma once

#include "adapters/adapter_folder.h"
#include "train/session.h"

namespace mixtune {

// The relation between the method that an adapter was trained with and that of a run.
struct MethodMatch {
  std::vector<std::string> differences;  // options that differ, one line each
  // If the adapter's method is the `over` of the run's method, the prefix of the tensors that the
  // run's outer method adds and the adapter does not have ("molex."); otherwise empty.
  std::string outer;
};

// UserError for another method, except that `start` accepts a method whose `over` is the adapter's
// method, and for options that change the function of the same tensors (LoRA's lora_alpha and
// use_rslora). `where` is the folder's name in errors.
MethodMatch match_method(const AdapterContents& contents, const Choice& method, AdapterUse use,
                         const std::string& where);

AdapterReport place_adapter(const AdapterContents& contents, Attachment& attachment, AdapterUse use,
                            const MethodMatch& match, const std::string& where);

// The contents of an adapter folder for a session's attachment.
AdapterContents adapter_of(Session& session, NamedTensors tensors);

// The folder itself, or adapter/ if it is a run folder.
std::filesystem::path adapter_folder(const std::filesystem::path& path);

}  // namespace mixtune
