#include "launcher/dashboard/series_history.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <nlohmann/json.hpp>

using namespace mdl::launcher;
using namespace mdl::launcher::dashboard;
using nlohmann::json;
using namespace nlohmann::literals;

namespace {

progress::RankSummary at_step(std::int64_t step, double loss) {
  progress::RankSummary said;
  said.step = step;
  said.loss = loss;
  return said;
}

json next_points(const SeriesHistory& history, SeriesHistory::Cursor& cursor) {
  const auto text = history.next(cursor);
  return text ? json::parse(*text) : json();
}

}  // namespace

TEST_CASE("a reader gets all points of a curve, and from then on the new ones") {
  SeriesHistory history;
  SeriesHistory::Cursor early;
  CHECK(next_points(history, early) == json::parse(R"({"reset":true,"series":{}})"));
  progress::RankSummary said = at_step(1, 2.5);
  said.learning_rate = 1e-4;
  history.take(said);
  history.take(said);  // nothing new
  CHECK(next_points(history, early) ==
        json::parse(R"({"reset":false,"series":{"loss":[[1,2.5]],"learning_rate":[[1,1e-4]]}})"));
  CHECK(next_points(history, early).is_null());
  said = at_step(2, NAN);
  said.eval_loss = 1.5;
  said.eval_step = 1;
  said.grad_norm = INFINITY;
  history.take(said);
  CHECK(next_points(history, early) ==
        json::parse(R"({"reset":false,"series":{"loss":[[2,"nan"]],"eval_loss":[[1,1.5]],"grad_norm":[[2,"inf"]]}})"));
  SeriesHistory::Cursor late;
  const json all = next_points(history, late);
  CHECK(all.at("reset") == true);
  CHECK(all.at("series").at("loss") == json::parse(R"([[1,2.5],[2,"nan"]])"));
}

TEST_CASE("a curve of very many steps is kept in bounded memory, from the first step to the last") {
  SeriesHistory history;
  SeriesHistory::Cursor reader;
  std::size_t told = 0;
  json read = json::array();
  for (std::int64_t step = 1; step <= 300'000; ++step) {
    history.take(at_step(step, 1.0 / static_cast<double>(step)));
    if (step % 1000 != 0) { continue; }
    const std::string text = history.next(reader).value_or("{}");
    told += text.size();
    const json more = json::parse(text);
    if (more.value("reset", false)) { read = json::array(); }
    for (const json& point : more.value("/series/loss"_json_pointer, json::array())) { read.push_back(point); }
  }
  SeriesHistory::Cursor late;
  const json points = next_points(history, late).at("series").at("loss");
  CHECK((points.size() >= SeriesHistory::kMostPoints / 2 - 1 && points.size() < SeriesHistory::kMostPoints));
  CHECK((points.front()[0] == 1 && points.back()[0].get<int>() > 299'000));
  for (std::size_t i = 1; i < points.size(); ++i) {
    CHECK(points[i][0].get<int>() - points[i - 1][0].get<int>() < 4 * 300'000 / static_cast<int>(points.size()));
  }
  CHECK(told < 2'000'000);
  CHECK(read == points);  // who reads all along has the same
}

TEST_CASE("a curve that is full has every second of its points, and those that come go on") {
  SeriesHistory history;
  const auto count = [&] {
    SeriesHistory::Cursor reader;
    return next_points(history, reader).at("series").at("loss").size();
  };
  const auto full = static_cast<std::int64_t>(SeriesHistory::kMostPoints);
  for (std::int64_t step = 1; step < full; ++step) { history.take(at_step(step, 1)); }
  CHECK(count() == SeriesHistory::kMostPoints - 1);
  for (std::int64_t step = full; step < full + 3; ++step) { history.take(at_step(step, 1)); }
  CHECK(count() == SeriesHistory::kMostPoints / 2 + 2);
}

TEST_CASE("what belongs to no step is no point of a curve") {
  SeriesHistory history;
  progress::RankSummary said;
  said.loss = said.eval_loss = said.grad_norm = 1;
  history.take(said);
  said.loss.reset();
  said.step = 4;
  history.take(said);
  SeriesHistory::Cursor reader;
  CHECK(next_points(history, reader) == json::parse(R"({"reset":true,"series":{"grad_norm":[[4,1]]}})"));
}

TEST_CASE("a training that goes on from an earlier step has its curve from there anew") {
  SeriesHistory history;
  for (std::int64_t step = 1; step <= 10; ++step) { history.take(at_step(step, 1)); }
  SeriesHistory::Cursor reader;
  next_points(history, reader);
  history.take(at_step(4, 2));
  CHECK(next_points(history, reader) == json::parse(R"({"reset":true,"series":{"loss":[[1,1],[2,1],[3,1],[4,2]]}})"));
}
