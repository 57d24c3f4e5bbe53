#include "common/nearest_name.hpp"

#include <catch2/catch.hpp>
#include <vector>

using namespace mdl;

namespace {

const std::vector<std::string> kCommands{"launch", "config", "env", "doctor", "status"};

std::string nearest(std::string_view typed, const std::vector<std::string>& names = kCommands) {
  return nearest_name(typed, names).value_or("none");
}

}  // namespace

TEST_CASE("a letter missing, too many, another one, or two that changed places are an error each") {
  CHECK(nearest("launh") == "launch");
  CHECK(nearest("launcch") == "launch");
  CHECK(nearest("laumch") == "launch");
  CHECK(nearest("luanch") == "launch");
  CHECK(nearest("docotr") == "doctor");
  CHECK(nearest("nev") == "env");
  CHECK(nearest("trian", {"train", "brain"}) == "train");
  CHECK(nearest("dcootr") == "doctor");  // two in six letters
}

TEST_CASE("a word with more than one error in three letters is another word") {
  CHECK(nearest("train") == "none");
  CHECK(nearest("dcooot") == "none");
  CHECK(nearest("e") == "none");
  CHECK(nearest("") == "none");
  CHECK(nearest("5", {"0", "1", "2", "3"}) == "none");
  CHECK(nearest("anything", {}) == "none");
}

TEST_CASE("the name with the fewest errors is taken, of equals the first") {
  CHECK(nearest("fp17", {"fp16", "bf16", "fp8"}) == "fp16");
  CHECK(nearest("xn", {"en", "zn"}) == "en");
}

TEST_CASE("capitals and underscores are no errors") {
  CHECK(nearest("multi-gpu", {"MULTI_CPU", "MULTI_GPU"}) == "MULTI_GPU");
  CHECK(nearest("Num_Procesess", {"num-processes"}) == "num-processes");
}

TEST_CASE("a suggestion goes in front of the advice") {
  CHECK(did_you_mean("luanch", kCommands) + "See --help." == "Did you mean launch? See --help.");
  CHECK(did_you_mean("nnodse", std::vector<std::string>{"nnodes"}, "--") == "Did you mean --nnodes? ");
  CHECK(did_you_mean("train", kCommands).empty());
}
