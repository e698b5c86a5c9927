// An adapter's tensors into an attachment: every tensor finds its place and every place its tensor,
// or it is an error. An adapter that is silently not applied is the commonest wrong result there
// is.
#pragma once

#include "adapters/adapter_folder.h"
#include "train/session.h"

namespace molt {

// `where` names the folder in errors.
AdapterReport place_adapter(const AdapterContents& contents, Attachment& attachment, AdapterUse use,
                            const std::string& where);

// Method options that differ between an adapter and this run, as lines. UserError for those that
// would compute another function of the same tensors (LoRA's alpha and rslora).
std::vector<std::string> method_differences(const AdapterContents& contents, const Choice& method,
                                            const std::string& where);

// What a session's attachment is as an adapter folder.
AdapterContents adapter_of(Session& session, NamedTensors tensors);

// The folder itself, or, of a run, its adapter/.
std::filesystem::path adapter_folder(const std::filesystem::path& path);

}  // namespace molt
