#include "cli/console_progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "cli/console.h"

namespace mixtune {
namespace {

int columns_of(std::FILE* stream) {
  winsize size{};
  return ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string speed_text(const StepReport& report) {
  std::string out;
  if (report.tokens_per_second > 0)
    out += fmt::format("  {} tokens/s", count_text(std::llround(report.tokens_per_second)));
  if (report.seconds_left > 0) out += "  " + duration_text(report.seconds_left) + " left";
  if (!report.routing.empty()) out += "  " + report.routing;
  return out;
}

}  // namespace

std::string metrics_text(const std::vector<MetricValue>& metrics) {
  std::string out;
  for (const MetricValue& metric : metrics)
    out += fmt::format("{}{} {:.4g}", out.empty() ? "" : ", ", metric.name, metric.value);
  return out;
}

ConsoleProgress::ConsoleProgress(std::FILE* stream, int lines)
    : stream_(stream), is_terminal_(isatty(fileno(stream)) != 0), lines_(lines) {}

ConsoleProgress::~ConsoleProgress() {
  clear_bar();
}

void ConsoleProgress::on_step(const StepReport& report) {
  recent_loss_ =
      report.step <= 1 || last_line_ == 0 ? report.loss : 0.9 * recent_loss_ + 0.1 * report.loss;
  const bool is_last = report.step == report.total_steps;
  const int64_t every = std::max<int64_t>(1, report.total_steps / lines_);
  if (last_line_ == 0) last_line_ = report.step;
  if (!is_terminal_) {
    if (report.step != 1 && report.step % every != 0 && !is_last) return;
    write_line(fmt::format("step {}/{}  epoch {:.2f}  loss {:.4f}{}", report.step,
                           report.total_steps, report.epoch, recent_loss_, speed_text(report)));
    return;
  }
  const auto now = std::chrono::steady_clock::now();
  if (now - last_drawn_ < std::chrono::milliseconds(100) && !is_last) return;
  last_drawn_ = now;
  const double share = static_cast<double>(report.step) / static_cast<double>(report.total_steps);
  const std::string words = fmt::format("step {}/{}  loss {:.4f}{}", report.step,
                                        report.total_steps, recent_loss_, speed_text(report));
  const int space = columns_of(stream_) - static_cast<int>(words.size()) - 9;
  fmt::print(stream_, "\r\x1b[K{:3.0f} % {} {}", std::floor(100 * share),
             space >= 5 ? "▕" + bar_text(share, std::min(space - 2, 30)) + "▏" : "", words);
  std::fflush(stream_);
  has_bar_ = true;
}

void ConsoleProgress::on_evaluation(const EvaluationReport& report) {
  for (const SetReport& set : report.sets) {
    std::string line =
        fmt::format("step {}  epoch {:.2f}  {}:", report.step, report.epoch, set.set);
    if (!set.metrics.empty()) line.append(1, ' ').append(metrics_text(set.metrics));
    if (!std::isnan(set.loss))
      line += fmt::format("{} loss {:.4f}", set.metrics.empty() ? "" : ",", set.loss);
    write_line(line + (report.is_best && &set == report.sets.data() ? "  (best so far)" : ""));
  }
}

void ConsoleProgress::on_message(std::string_view line) {
  write_line(std::string(line));
}

void ConsoleProgress::on_warning(std::string_view line) {
  write_line(fmt::format("warning: {}", line));
}

void ConsoleProgress::write_line(const std::string& line) {
  clear_bar();
  fmt::print(stream_, "{}\n", line);
  std::fflush(stream_);
}

void ConsoleProgress::clear_bar() {
  if (!has_bar_) return;
  fmt::print(stream_, "\r\x1b[K");
  std::fflush(stream_);
  has_bar_ = false;
}

}  // namespace mixtune
