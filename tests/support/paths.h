// The paths of the tests' files and folders. Nothing here needs torch.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace mixtune::test {

namespace fs = std::filesystem;

inline fs::path source_dir() {
  return MIXTUNE_SOURCE_DIR;
}

// The quickstart's model; `make model` fetches it.
inline fs::path minilm_folder() {
  if (const char* value = std::getenv("MIXTUNE_MINILM")) return value;
  return source_dir() / ".cache" / "all-MiniLM-L6-v2";
}

// Data for tests: MIXTUNE_DATA, by default ../shared/data. It may be absent: then such tests are
// skipped with a message.
inline fs::path data_dir() {
  if (const char* value = std::getenv("MIXTUNE_DATA")) return value;
  return source_dir() / ".." / "shared" / "data";
}

// Every folder with a case.json below each path of MIXTUNE_GOLDEN (default: tests/golden and, where
// present,
// ../shared/golden), sorted.
inline std::vector<fs::path> golden_roots() {
  std::vector<fs::path> roots;
  if (const char* value = std::getenv("MIXTUNE_GOLDEN")) {
    std::string list = value;
    for (size_t begin = 0; begin <= list.size();) {
      const size_t end = std::min(list.find(':', begin), list.size());
      if (end > begin) roots.emplace_back(list.substr(begin, end - begin));
      begin = end + 1;
    }
    return roots;
  }
  for (const fs::path& root :
       {source_dir() / "tests" / "golden", source_dir() / ".." / "shared" / "golden"})
    if (fs::exists(root)) roots.push_back(root);
  return roots;
}

// A new folder below the system's temporary folder, removed at the end of the scope.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "mixtune-test-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const fs::path& path() const { return path_; }
  fs::path operator/(const std::string& name) const { return path_ / name; }

 private:
  fs::path path_;
};

}  // namespace mixtune::test
