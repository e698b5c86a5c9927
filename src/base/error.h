// The two kinds of errors. A UserError is a mistake in a config, a file or data: three parts that
// are printed as one line, with exit code 2. A BugError is a bug of the program: a broken invariant
// with its values, with exit code 1.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace mixtune {

// `where`: file and line, key or flag; `what`: what was found and what was expected; `todo`: what
// the user can do. Printed as "where: what. todo".
class UserError : public std::runtime_error {
 public:
  UserError(std::string where, std::string what, std::string todo);

  const std::string& where() const { return where_; }
  const std::string& found() const { return found_; }
  const std::string& todo() const { return todo_; }

 private:
  std::string where_, found_, todo_;
};

class BugError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

[[noreturn]] void bug(std::string_view file, int line, std::string_view condition,
                      std::string_view message);

// join_names: "r, lora_alpha" for two names. nearest: the names of `known` that are closest to
// `name` by edit distance, best first, at most `count`, within half of the longer name's length.
std::string join_names(const std::vector<std::string>& names, std::string_view separator = ", ");
std::vector<std::string> nearest(std::string_view name, const std::vector<std::string>& known,
                                 size_t count = 3);

// "Did you mean r?" or, if no name is near, "Known: lora_alpha, r."
std::string suggestion(std::string_view name, const std::vector<std::string>& known);

}  // namespace mixtune

// A broken invariant is a bug of the program; `message` should have the values.
#define MIXTUNE_CHECK(condition, message)                                        \
  do {                                                                           \
    if (!(condition)) ::mixtune::bug(__FILE__, __LINE__, #condition, (message)); \
  } while (false)
