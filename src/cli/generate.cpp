// mixtune generate: generates text from prompts. The text of a single prompt is printed token by
// token. For prompts from JSON lines or from a run's task, the texts are written as JSON lines,
// batch by batch, and an interrupted job continues where it stopped.
#include "models/generate.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <set>

#include "base/config.h"
#include "base/config_json.h"
#include "base/json.h"
#include "base/memory.h"
#include "cli/appended_file.h"
#include "cli/command.h"
#include "cli/console_progress.h"
#include "cli/end_ids.h"
#include "cli/field_flags.h"
#include "cli/generated_text.h"
#include "cli/generation_prompts.h"
#include "cli/generation_settings.h"
#include "cli/plain_texts.h"
#include "cli/stop_signal.h"
#include "cli/weights_fingerprint.h"
#include "models/packed_weights.h"
#include "train/predictor.h"

namespace mixtune {
namespace {

namespace fs = std::filesystem;

struct GenerateArguments {
  std::string source, output = "-";
  std::optional<std::string> adapter, prompt, input, split;
  std::optional<int64_t> threads;
  bool overwrite = false;
  GivenFlags flags;
};

// Ids on the command line must be ids of the model. (Larger ids in a model's files are ignored.)
std::vector<int32_t> typed_ends(const std::vector<int64_t>& ids, int64_t vocabulary) {
  for (const int64_t id : ids)
    if (id >= vocabulary)
      throw UserError("eos_token_id",
                      fmt::format("has {}; expected ids of the model, 0 to {}", id, vocabulary - 1),
                      "Correct --eos-token-id.");
  return {ids.begin(), ids.end()};
}

// The ids that end a text: those of --eos-token-id or, without it, those of the model's files, its
// tokenizer and the task that the run was trained on.
std::vector<int32_t> end_ids(const Session& session, const GenerationSettings& settings) {
  if (settings.eos_token_id)
    return typed_ends(*settings.eos_token_id, session.model->config().vocab_size);
  std::set<int32_t> out = end_ids_of(session.config.model.path);
  if (const auto id = session.tokenizer->id_of(TokenRole::kEos)) out.insert(*id);
  if (session.supervised_end) out.insert(*session.supervised_end);
  std::erase_if(out,
                [&](int32_t id) { return id < 0 || id >= session.model->config().vocab_size; });
  return {out.begin(), out.end()};
}

using Texts = std::vector<std::vector<Generated>>;  // [prompts][texts of a prompt]

// Generates the texts of prompts with one model and one set of options.
class PromptGenerator {
 public:
  PromptGenerator(Session& session, const GenerationSettings& settings, std::vector<int32_t> ends)
      : session_(session), settings_(settings), ends_(std::move(ends)) {}

  GeneratedText reader(const TypedPrompt& prompt) const {
    return {*session_.tokenizer, prompt.ids, settings_.stop_strings, ends_,
            settings_.show_special_tokens ? SpecialTokens::kKeep : SpecialTokens::kSkip};
  }

  // The texts of some prompts, the first of which has the index `first`. `on_token` is called with
  // a text after each of its tokens; true ends the text.
  Texts run(std::span<const TypedPrompt> prompts, size_t first,
            const std::function<bool(const GeneratedText&, std::span<const int32_t>)>& on_token) {
    const size_t samples =
        settings_.do_sample ? static_cast<size_t>(settings_.num_return_sequences) : 1;
    std::vector<std::vector<int32_t>> ids;
    std::vector<GeneratedText> readers;
    GenerateOptions options = settings_.options(ends_);
    for (size_t i = 0; i < prompts.size(); ++i)
      for (size_t sample = 0; sample < samples; ++sample) {
        ids.push_back(prompts[i].ids);
        options.sequence_ids.push_back(static_cast<int64_t>(first + i));
        readers.push_back(reader(prompts[i]));
        const RandomKey key = derive(static_cast<RandomKey>(settings_.seed), "generate");
        if (settings_.do_sample) options.streams.push_back(derive(derive(key, first + i), sample));
      }
    options.ends = [&](size_t text, std::span<const int32_t> generated) {
      return on_token(readers[text], generated) || readers[text].has_stop(generated);
    };
    Reducer alone;
    ForwardContext context(Phase::evaluate, static_cast<RandomKey>(session_.config.train.seed), 0,
                           alone);
    context.loss_statistics = session_.attachment->loss_statistics;
    context.loss_statistics.clear();
    Texts generated = generate(*session_.model, ids, options, context);
    Texts out(prompts.size());
    for (size_t i = 0; i < generated.size(); ++i) {
      std::vector<Generated>& texts = out[i / samples];
      for (Generated& text : generated[i]) texts.push_back(std::move(text));
      texts.resize(std::min(texts.size(), static_cast<size_t>(settings_.num_return_sequences)));
    }
    return out;
  }

 private:
  Session& session_;
  const GenerationSettings& settings_;
  std::vector<int32_t> ends_;
};

OrderedJson text_json(const GeneratedText& reader, const Generated& text) {
  return {{"text", reader.text(text.ids)},
          {"tokens", text.ids.size()},
          {"finish", text.stopped ? "stop" : "length"},
          {"log_probability", rounded(text.log_probability)}};
}

// The best text of a prompt; if there are several, also all of them under "texts".
std::string json_line(const GeneratedText& reader, const TypedPrompt& prompt,
                      const std::vector<Generated>& texts) {
  OrderedJson line = {{prompt.references ? "meaning" : "prompt", prompt.text}};
  if (prompt.references) line["references"] = *prompt.references;
  line.update(text_json(reader, texts.at(0)));
  if (texts.size() > 1) {
    line["texts"] = OrderedJson::array();
    for (const Generated& text : texts) {
      line["texts"].push_back(text_json(reader, text));
      line["texts"].back()["score"] = rounded(text.score);
    }
  }
  return line.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

void show(const std::string& text) {
  fmt::print("{}", text);
  std::fflush(stdout);
}

int generate_to_terminal(PromptGenerator& generator, const GenerationSettings& settings,
                         const TypedPrompt& prompt, const std::atomic<bool>& stop) {
  const bool streams = settings.num_beams == 1 && settings.num_return_sequences == 1;
  size_t shown = 0;
  const auto on_token = [&](const GeneratedText& reader, std::span<const int32_t> generated) {
    if (streams) {
      const std::string text = reader.stable_prefix(generated);
      if (text.size() > shown) show(text.substr(shown));
      shown = std::max(shown, text.size());
    }
    return stop.load();
  };
  const std::vector<Generated> texts = generator.run({&prompt, 1}, 0, on_token).at(0);
  const GeneratedText reader = generator.reader(prompt);
  for (size_t i = 0; i < texts.size(); ++i) {
    if (texts.size() > 1) show(fmt::format("--- {} (score {:.4f})\n", i + 1, texts[i].score));
    show(reader.text(texts[i].ids).substr(streams ? shown : 0) + "\n");
  }
  return stop ? kInterrupted : kDone;
}

struct GenerationResult {
  int code;
  int64_t texts = 0, tokens = 0;  // generated by this process
};

GenerationResult generate_to_lines(PromptGenerator& generator, const GenerationSettings& settings,
                                   const std::vector<TypedPrompt>& prompts, AppendedFile* file,
                                   const std::atomic<bool>& stop) {
  const auto on_token = [&](const GeneratedText&, std::span<const int32_t>) { return stop.load(); };
  size_t next = file != nullptr ? file->lines().size() : 0;
  GenerationResult out{.code = kDone};
  while (next < prompts.size() && !stop) {
    const size_t count = std::min(prompts.size() - next, static_cast<size_t>(settings.batch_size));
    const std::span<const TypedPrompt> part(prompts.data() + next, count);
    const Texts texts = generator.run(part, next, on_token);
    if (stop) break;  // the texts of this batch are incomplete
    std::string lines;
    for (size_t i = 0; i < count; ++i) {
      lines += json_line(generator.reader(part[i]), part[i], texts[i]);
      for (const Generated& text : texts[i]) out.tokens += static_cast<int64_t>(text.ids.size());
      out.texts += static_cast<int64_t>(texts[i].size());
    }
    if (file != nullptr)
      file->append(lines);
    else
      show(lines);
    next += count;
  }
  if (next < prompts.size()) {
    fmt::print(stderr, "stopped after {} of {} prompts; {}\n", next, prompts.size(),
               file != nullptr ? "the same command continues from there"
                               : "with --output FILE the same command would continue from there");
    out.code = kInterrupted;
  }
  return out;
}

// The settings that are stored beside an unfinished output.
std::string settings_text(const GenerateArguments& arguments, const GenerationSettings& settings,
                          const std::vector<TypedPrompt>& prompts, uint64_t weights) {
  RandomKey key = 0;
  for (const TypedPrompt& prompt : prompts) key = derive(key, prompt.text);
  return fmt::format("# mixtune generate {}{}{}, weights {:016x}, {} prompts {:016x}\n{}",
                     arguments.source, arguments.adapter ? " --adapter " : "",
                     arguments.adapter.value_or(""), weights, prompts.size(), key,
                     to_yaml(settings));
}

// Resolves --cache auto. Only MoLEx has the averaged cache, and not every model supports it.
void settle_cache(const Session& session, GenerationSettings& settings,
                  const std::vector<TypedPrompt>& prompts, ConsoleProgress& progress) {
  auto& model = dynamic_cast<DecoderModel&>(*session.model);
  const StackAdapter* adapter = model.sites().stack->adapter.get();
  size_t longest = 0;
  for (const TypedPrompt& prompt : prompts) longest = std::max(longest, prompt.ids.size());
  const int64_t tokens = static_cast<int64_t>(longest) + settings.max_new_tokens;
  if (settings.cache == "auto") {
    const bool was_averaged = adapter && adapter->averages_cache();
    settings.cache = was_averaged && can_average(model, tokens) ? "averaged" : "exact";
    if (was_averaged)
      progress.on_message(
          settings.cache == "averaged"
              ? "cache averaged, as in the authors' code; --cache exact computes the model as "
                "trained"
              : "cache exact: this model does not support the averaged cache of the authors' code");
  }
  if (settings.cache != "averaged") return;
  if (!adapter)
    throw UserError("cache",
                    "is averaged, which only molex supports; the method here is " +
                        method_title(session.config.method),
                    "Remove --cache.");
  check_decoding(model, Decoding::averaged, tokens);
}

// The prompts: from --prompt, from a file, or those that the run's task is scored on.
TaskPrompts prompts_of(const GenerateArguments& arguments) {
  const bool is_typed = arguments.prompt || arguments.input;
  if (arguments.prompt && arguments.input)
    throw UserError("mixtune generate", "has --prompt and --input", "Give one of them.");
  if (is_typed && arguments.split)
    throw UserError("mixtune generate", "has --split together with --prompt or --input",
                    "Remove --split, or remove the prompts to use those of the run's task.");
  if (arguments.input)
    return {.task = nullptr, .source = *arguments.input, .prompts = read_prompts(*arguments.input)};
  if (arguments.prompt)
    return {.task = nullptr, .source = "", .prompts = {typed_prompt(*arguments.prompt)}};
  return task_prompts(arguments.source, arguments.split.value_or("test"));
}

int run(const GenerateArguments& arguments) {
  GenerationSettings settings;
  apply_flags(arguments.flags, settings);
  TaskPrompts source = prompts_of(arguments);
  std::vector<TypedPrompt>& prompts = source.prompts;
  const bool to_file = arguments.output != "-";
  if (to_file && source.task && !arguments.overwrite) check_text_lines(arguments.output);

  ConsoleProgress progress(stderr);
  PredictorOptions options{.source = arguments.source, .generates = true};
  if (arguments.adapter) options.adapter = *arguments.adapter;
  if (arguments.threads)
    options.overrides.push_back("threads=" + std::to_string(*arguments.threads));
  const auto session = open_predictor(options, progress);
  const int64_t longest = session->model->max_length() - settings.max_new_tokens;
  if (longest < 1)
    throw UserError(
        "max_new_tokens",
        fmt::format("is {}; expected at most {}, since the prompt and the generated text "
                    "share the model's {} positions",
                    settings.max_new_tokens, session->model->max_length() - 1,
                    session->model->max_length()),
        "Lower --max-new-tokens.");
  PromptLimit space{.tokens = longest, .cuts = settings.too_long == "truncate_left"};
  if (source.task) space.end = source.task->end_token(*session->tokenizer);
  const int64_t cut = encode_prompts(prompts, *session->tokenizer, space);
  for (const TypedPrompt& prompt : prompts)
    check_ids(prompt.ids, session->model->config(), prompt.place);
  if (cut > 0) progress.on_warning(fmt::format("{} prompts were truncated at their start", cut));

  const std::vector<int32_t> ends = end_ids(*session, settings);
  settle_cache(*session, settings, prompts, progress);

  // Created after all checks, so that a mistake leaves no file.
  std::optional<AppendedFile> file;
  if (to_file)
    file.emplace(
        arguments.output,
        settings_text(arguments, settings, prompts, weights_fingerprint(session->config.model)),
        arguments.overwrite ? ExistingFile::replace : ExistingFile::reject);

  PromptGenerator generator(*session, settings, ends);
  // At most half of the free memory, because keys and values of the texts need memory too.
  const PackedWeights packed(dynamic_cast<DecoderModel&>(*session->model), available_memory() / 2);
  const bool streams = arguments.prompt && !to_file;
  const StopSignal signal(streams ? "stopping after this token"
                                  : "stopping; the current batch is discarded");
  if (streams) return generate_to_terminal(generator, settings, prompts[0], *signal.flag());
  const auto began = std::chrono::steady_clock::now();
  const GenerationResult result =
      generate_to_lines(generator, settings, prompts, file ? &*file : nullptr, *signal.flag());
  if (result.code != kDone || !file) return result.code;
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  progress.on_message(fmt::format("{} texts, {} tokens in {:.2f} s: {:.0f} tokens/s", result.texts,
                                  result.tokens, seconds,
                                  static_cast<double>(result.tokens) / seconds));
  if (source.task) {
    write_text_lines(arguments.output);
    progress.on_message(fmt::format("to score them: mixtune score {} --references {} --outputs {}",
                                    source.task->name(), source.source,
                                    text_lines_path(arguments.output).string()));
  }
  file->finish();
  return kDone;
}

CommandRun declare_generate(CLI::App& app) {
  auto arguments = std::make_shared<GenerateArguments>();
  app.add_option("source", arguments->source, "Run folder or model folder")->required();
  app.add_option("--adapter", arguments->adapter, "Adapter folder to attach to a model");
  app.add_option("--prompt", arguments->prompt, "Prompt to continue");
  app.add_option("--input", arguments->input,
                 "Prompts as JSON lines with \"prompt\"; - is standard input");
  app.add_option("--split", arguments->split,
                 "Split of the run's task whose prompts are used without --prompt and --input "
                 "(default test)")
      ->check(CLI::IsMember({"dev", "test"}));
  app.add_option("--output", arguments->output,
                 "JSON lines with the generated texts; - is standard output")
      ->capture_default_str();
  app.add_flag("--overwrite", arguments->overwrite, "Replace the output file, finished or not");
  app.add_option("--threads", arguments->threads,
                 "Number of CPU threads (default: that of the run, or all)")
      ->check(CLI::Range(1, 1024));
  declare_flags(app, GenerationSettings(), arguments->flags);
  return [arguments] { return run(*arguments); };
}

}  // namespace

void register_generate(Registry<CommandEntry>& registry) {
  registry.add(
      {"generate",
       "Generate text from prompts",
       {"mixtune generate models/tiny-gpt2 --prompt 'Once upon a time'",
        "mixtune generate runs/e2e-molex+lora-0 --output texts.jsonl --num-beams 10 "
        "--no-repeat-ngram-size 4",
        "mixtune generate runs/e2e-molex+lora-0 --input prompts.jsonl --output texts.jsonl"},
       declare_generate});
}

}  // namespace mixtune
