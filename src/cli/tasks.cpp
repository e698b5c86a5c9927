// mixtune tasks: lists the tasks, or the options of one task.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/config.h"
#include "cli/command.h"
#include "cli/console.h"
#include "tasks/task.h"

namespace mixtune {
namespace {

void print_tasks() {
  ConsoleTable table({"task", "what it is"});
  table.align_left(1);
  for (const TaskEntry& task : tasks().entries()) table.add({task.name, task.summary});
  fmt::print("{}\nmixtune tasks NAME lists the options of a task.\n", table.text());
}

CommandRun declare_tasks(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  app.add_option("name", *name, "Task to describe");
  return [name] {
    if (name->empty()) {
      print_tasks();
      return kDone;
    }
    const TaskEntry& task = tasks().get(*name, "mixtune tasks", "task");
    fmt::print("{}\n{}\n\nOptions under the key task:\n{}", task.name, task.summary,
               describe(*task.config()));
    return kDone;
  };
}

}  // namespace

void register_tasks(Registry<CommandEntry>& registry) {
  registry.add({"tasks",
                "List the tasks, or the options of one task",
                {"mixtune tasks", "mixtune tasks classify"},
                declare_tasks});
}

}  // namespace mixtune
