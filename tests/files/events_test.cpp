#include "files/events.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/json.h"
#include "files/raw_file.h"

namespace mixtune::test {
namespace {

const std::string kThree =
    "{\"event\":\"start\",\"step\":0}\n{\"event\":\"step\",\"step\":1}\n{\"event\":\"step\","
    "\"step\":2}\n";

TEST(Events, AreOneObjectPerLineWrittenImmediately) {
  TemporaryFolder folder;
  EventWriter writer = EventWriter::create(folder / "events.jsonl");
  writer.write({{"event", "step"}, {"step", 1}, {"loss", 0.1f}, {"text", "a\nb\xff"}});
  // Read while the writer is open: nothing is buffered.
  const auto events = read_events(folder / "events.jsonl");
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].at("loss").get<float>(), 0.1f);
  writer.write({{"event", "step"}, {"step", 2}, {"loss", std::nextafter(0.1f, 1.0f)}});
  const auto both = read_events(folder / "events.jsonl");
  EXPECT_NE(both[0].at("loss").dump(), both[1].at("loss").dump());
  EXPECT_THROW(EventWriter::create(folder / "events.jsonl"), UserError);
  EXPECT_THROW(writer.write(Json::array()), BugError);
}

TEST(Events, ResumedWithoutAStepLoseOnlyAnIncompleteLine) {
  TemporaryFolder folder;
  const fs::path path = folder / "events.jsonl";
  for (const char* torn : {"", "{\"event\":\"st", "{", "\"x\"", "3"}) {
    write_file_atomically(path, kThree + torn);
    EventWriter::resume(path, std::nullopt).write({{"step", 3}});
    EXPECT_EQ(read_file(path), kThree + "{\"step\":3}\n") << torn;
  }
  write_file_atomically(path, kThree + "{\"step\":9}");  // complete except for its line end
  EventWriter::resume(path, std::nullopt).write({{"step", 10}});
  EXPECT_EQ(read_file(path), kThree + "{\"step\":9}\n{\"step\":10}\n");
}

TEST(Events, ResumedAtAStepDropLaterEvents) {
  TemporaryFolder folder;
  const fs::path path = folder / "events.jsonl";
  write_file_atomically(path,
                        kThree + "{\"event\":\"note\"}\n{\"event\":\"step\",\"step\":3}\n{\"ev");
  EventWriter::resume(path, 1).write({{"step", 2}});
  EXPECT_EQ(
      read_file(path),
      "{\"event\":\"start\",\"step\":0}\n{\"event\":\"step\",\"step\":1}\n{\"event\":\"note\"}\n"
      "{\"step\":2}\n");
}

TEST(Events, ResumedWithoutAFileCreateOne) {
  TemporaryFolder folder;
  EventWriter::resume(folder / "events.jsonl", 5).write({{"step", 6}});
  EXPECT_EQ(read_events(folder / "events.jsonl").size(), 1u);
  EXPECT_THROW(EventWriter::resume(folder / "absent" / "events.jsonl", 5), UserError);
}

TEST(Events, RejectAWrongLineInTheMiddle) {
  TemporaryFolder folder;
  const fs::path path = folder / "e";
  write_file_atomically(path, "{\"step\":1}\n{\"st\n{\"step\":2}\n");
  EXPECT_EQ(error_line(folder, [&] { EventWriter::resume(path, std::nullopt); }),
            "e:2: is not a JSON object. Remove the line; every line must be one event.");
  EXPECT_THROW(read_events(path), UserError);
}

TEST(EventWriters, MoveTheirFile) {
  TemporaryFolder folder;
  EventWriter first = EventWriter::create(folder / "a");
  EventWriter second = EventWriter::create(folder / "b");
  second = std::move(first);
  second.write({{"step", 1}});
  EXPECT_EQ(read_events(folder / "a").size(), 1u);
  EXPECT_EQ(read_file(folder / "b"), "");
}

}  // namespace
}  // namespace mixtune::test
