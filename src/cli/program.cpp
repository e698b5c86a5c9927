#include "cli/program.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <cstdio>
#include <filesystem>
#include <new>

#include "base/error.h"
#include "cli/command.h"
#include "launcher/request.h"

namespace mixtune {
namespace {

void print_overview() {
  fmt::print(
      "mixtune fine-tunes pre-trained language models with mixtures of experts.\n\n"
      "Usage: mixtune COMMAND ...\n\nCommands:\n");
  for (const CommandEntry& command : commands().entries())
    fmt::print("  {:<10} {}\n", command.name, command.summary);
  fmt::print(
      "\nmixtune COMMAND --help explains a command; mixtune --version prints the version.\n"
      "For example: mixtune train lora rte model.path=MODEL task.data=DATA\n");
}

std::string examples_of(const CommandEntry& command) {
  std::string out = command.examples.size() == 1 ? "Example:\n" : "Examples:\n";
  for (const std::string& line : command.examples) out += "  " + line + "\n";
  out.pop_back();
  return out;
}

// The flags of a command, as they are typed.
std::vector<std::string> flags_of(const CLI::App& app) {
  std::vector<std::string> out;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) out.push_back("--" + name);
  return out;
}

[[noreturn]] void reject_extras(const CLI::App& app, const CommandEntry& command) {
  const std::string where = "mixtune " + command.name;
  const std::string extra = app.remaining().empty() ? "" : app.remaining().front();
  if (extra.starts_with("-")) {
    const std::string flag = extra.substr(0, extra.find('='));
    throw UserError(where, "unknown flag " + flag, suggestion(flag, flags_of(app)));
  }
  throw UserError(where, "does not accept '" + extra + "'", "See " + where + " --help.");
}

int run_command(const CommandEntry& command, const std::vector<std::string>& arguments) {
  CLI::App app(command.summary, "mixtune " + command.name);
  app.get_formatter()->column_width(34);
  app.footer(examples_of(command));
  const CommandRun run = command.declare(app);
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", app.help());
    return kDone;
  } catch (const CLI::ExtrasError&) {
    reject_extras(app, command);
  } catch (const CLI::ParseError& error) {
    throw UserError(app.get_name(), error.what(), "See " + app.get_name() + " --help.");
  }
  return run();
}

int dispatch(const std::vector<std::string>& arguments) {
  switch (request_of(arguments)) {
    case ProgramRequest::version:
      fmt::print("{}\n", version());
      return kDone;
    case ProgramRequest::overview:
      print_overview();
      return kDone;
    case ProgramRequest::none:
      print_overview();
      return kUserMistake;
    case ProgramRequest::command:
      break;
  }
  const std::string& first = arguments.front();
  if (first == "help")
    return run_command(commands().get(arguments[1], "mixtune", "command"), {"--help"});
  if (first.starts_with("-"))
    throw UserError("mixtune", "unknown flag " + first, suggestion(first, {"--help", "--version"}));
  return run_command(commands().get(first, "mixtune", "command"),
                     {arguments.begin() + 1, arguments.end()});
}

void print_error(std::string_view line) {
  fmt::print(stderr, "{}\n", line);
}

std::string first_line(std::string text) {
  return text.substr(0, text.find('\n'));
}

int internal_error(const std::string& message) {
  print_error("mixtune: this is a bug in mixtune, not a mistake in your input: " + message);
  return kBug;
}

}  // namespace

std::string version() {
  return std::string("mixtune ") + MIXTUNE_VERSION;
}

int run_program(const std::vector<std::string>& arguments) {
  int code = kBug;
  try {
    code = dispatch(arguments);
  } catch (const UserError& error) {
    print_error(error.what());
    code = kUserMistake;
  } catch (const std::bad_alloc&) {
    print_error(
        "mixtune: out of memory. Lower train.batch_size or train.batch_tokens and raise "
        "train.accumulate, or lower task.max_length.");
  } catch (const c10::OutOfMemoryError& error) {
    print_error("mixtune: the device is out of memory (" +
                first_line(error.what_without_backtrace()) +
                "). Lower train.batch_size or train.batch_tokens and raise train.accumulate.");
  } catch (const c10::Error& error) {
    code = internal_error(first_line(error.what_without_backtrace()));
  } catch (const std::filesystem::filesystem_error& error) {
    print_error(std::string("mixtune: ") + error.what() +
                ". Check that the folder exists and that you may write to it.");
    code = kUserMistake;
  } catch (const std::exception& error) {
    code = internal_error(first_line(error.what()));
  }
  // A reader that is gone (mixtune ... | head) must not look like success.
  if (std::fflush(stdout) != 0 && code == kDone) code = kUserMistake;
  return code;
}

}  // namespace mixtune
