// An adapter's tensors into an attachment: every tensor finds its place and every place its tensor,
// or it is an error. An adapter that is silently not applied is the commonest wrong result there
// is.
#pragma once

#include "adapters/adapter_folder.h"
#include "train/session.h"

namespace mixtune {

// How the method that an adapter was trained with relates to that of a run.
struct MethodMatch {
  std::vector<std::string> differences;  // options that differ, as lines
  // The adapter's method stands under `over` of the run's: this is the prefix of the tensors that
  // the run's own part has and the adapter lacks ("molex."); else empty.
  std::string outer;
};

// UserError for another method, except that `start` may put a method around that of the adapter,
// and for options that would compute another function of the same tensors (LoRA's alpha and
// rslora). `where` names the folder in errors.
MethodMatch match_method(const AdapterContents& contents, const Choice& method, AdapterUse use,
                         const std::string& where);

AdapterReport place_adapter(const AdapterContents& contents, Attachment& attachment, AdapterUse use,
                            const MethodMatch& match, const std::string& where);

// What a session's attachment is as an adapter folder.
AdapterContents adapter_of(Session& session, NamedTensors tensors);

// The folder itself, or, of a run, its adapter/.
std::filesystem::path adapter_folder(const std::filesystem::path& path);

}  // namespace mixtune
