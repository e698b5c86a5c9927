// mixtune resume: continues a run from its last complete checkpoint, with the same results as
// without the interruption.
#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "cli/command_line.h"
#include "cli/console_progress.h"
#include "cli/run_report.h"
#include "cli/stop_signal.h"
#include "train/trainer.h"

namespace mixtune {
namespace {

struct ResumeArguments {
  std::string run;
  bool allow_changed = false;
};

CommandRun declare_resume(CLI::App& app) {
  auto arguments = std::make_shared<ResumeArguments>();
  app.add_option("run", arguments->run, "Run folder")->required();
  app.add_flag("--allow-changed", arguments->allow_changed,
               "Continue although the config, data, tokenizer or model changed");
  return [arguments] {
    const StopSignal stop;
    ConsoleProgress progress(stdout);
    return report_run(resume(arguments->run,
                             {.allow_changed = arguments->allow_changed,
                              .interrupt = stop.flag(),
                              .command = typed_command_line()},
                             progress));
  };
}

}  // namespace

void register_resume(Registry<CommandEntry>& registry) {
  registry.add({"resume",
                "Continue a run exactly from its last complete checkpoint",
                {"mixtune resume runs/rte-lora-0"},
                declare_resume});
}

}  // namespace mixtune
