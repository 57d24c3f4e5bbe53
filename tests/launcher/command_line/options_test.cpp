#include "launcher/command_line/options.hpp"

#include <catch2/catch.hpp>
#include <map>

#include "common/error.hpp"

using namespace mdl;
using namespace mdl::launcher::command_line;
using namespace mdl::launcher::machine;
using Catch::Contains;
using Words = std::vector<std::string>;

namespace {

LaunchOptions parse(const Words& words, const std::map<std::string, std::string>& variables = {}) {
  const auto parsed = parse_command_line(words, [&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional<std::string>(found->second);
  });
  REQUIRE_FALSE(parsed.text);
  return parsed.options;
}

std::string error_of(const Words& words, const std::map<std::string, std::string>& variables = {}) {
  try {
    parse(words, variables);
  } catch (const mdl::UsageError& error) {
    CHECK(error.exit_code() == 2);
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("the seed's command line is understood") {
  const auto options = parse({"--standalone", "--nproc-per-node", "gpu", "--no-python", "mdl-toolkit", "train",
                              "--lora-rank", "16", "--eval-steps", "50"});
  CHECK(options.standalone);
  CHECK(options.no_python);
  CHECK(options.nproc_per_node == "gpu");
  CHECK(options.program == "mdl-toolkit");
  CHECK(options.program_args == Words{"train", "--lora-rank", "16", "--eval-steps", "50"});
}

TEST_CASE("without options torchrun's defaults hold") {
  const auto options = parse({"train.py"});
  CHECK(options.nproc_per_node == "1");
  CHECK(options.nnodes.min == 1);
  CHECK(options.nnodes.max == 1);
  CHECK(options.max_restarts == 0);
  CHECK(options.role == "default");
  CHECK(options.rdzv_backend == "static");
  CHECK(options.rdzv_id == "none");
  CHECK_FALSE(options.standalone);
  CHECK_FALSE(options.module);
}

TEST_CASE("underscores, = and unique beginnings name the same options") {
  for (const Words& spelling :
       {Words{"--nproc_per_node", "4"}, {"--nproc-per-node=4"}, {"--nproc_per_node=4"}, {"--nproc", "4"}}) {
    Words words = spelling;
    words.push_back("x");
    CHECK(parse(words).nproc_per_node == "4");
  }
  CHECK(parse({"-m", "pkg.train", "--no_python"}).module);
  CHECK(parse({"--rdzv-endpoint=", "x"}).rdzv_endpoint.empty());
}

TEST_CASE("options after the program are the program's, also those of the launcher's names") {
  const auto options = parse({"--max-restarts", "3", "train.py", "--max-restarts", "9", "--help"});
  CHECK(options.max_restarts == 3);
  CHECK(options.program_args == Words{"--max-restarts", "9", "--help"});
  CHECK(parse({"--", "--odd-name", "-x"}).program == "--odd-name");
}

TEST_CASE("the first -- is the launcher's, also directly behind the program") {
  for (const char* option : {"--no-python", "--module", "--run-path"}) {
    CHECK(parse({option, "x", "--", "--foo"}).program_args == Words{"--foo"});
  }
  CHECK(parse({"x", "--"}).program_args.empty());
  CHECK(parse({"x", "--", "--", "y"}).program_args == Words{"--", "y"});
  CHECK(parse({"--", "x", "--", "y"}).program_args == Words{"--", "y"});
  CHECK(parse({"x", "y", "--", "z"}).program_args == Words{"y", "--", "z"});
}

TEST_CASE("numbers may have blanks, a line end and a plus, in options and in variables") {
  const auto options = parse({"--max-restarts", " +2", "--shutdown-timeout=7\n", "--monitor-interval", " 1e-1\n", "-t",
                              "3\n", "--local-ranks-filter", " 0, +1", "x"},
                             {{"PET_NNODES", "1\n"}, {"PET_NODE_RANK", " 0 "}, {"PET_STANDALONE", " 1\n"}});
  CHECK(options.max_restarts == 2);
  CHECK(options.shutdown_timeout == 7);
  CHECK(options.logs.tee.includes(0, Stream::err));
  CHECK(options.logs.local_ranks_filter == std::set<int>{0, 1});
  CHECK(options.nnodes.max == 1);
  CHECK(options.standalone);
  CHECK(parse({"--nnodes", " 1 : +2\n", "x"}).nnodes.max == 2);
  CHECK(parse({"--role", "-a b", "x"}).role == "-a b");  // argparse takes what has a blank for no option
}

TEST_CASE("what is wrong with a number is told in the words that were used") {
  for (const char* wrong : {"2:20:30", "2:", "x", "0", "1:2x"}) {
    CHECK_THAT(error_of({"--nnodes", wrong, "x"}), Contains("--nnodes") && Contains("MIN:MAX") && Contains(wrong));
  }
  CHECK_THAT(error_of({"--master-port", "70000", "x"}),
             Contains("--master-port") && Contains("65535") && !Contains("HOST:PORT"));
  CHECK_THAT(error_of({"x"}, {{"PET_MAX_RESTARTS", "many"}}),
             Contains("PET_MAX_RESTARTS") && !Contains("--max-restarts"));
  CHECK_THAT(error_of({"x"}, {{"TORCH_ELASTIC_SHUTDOWN_TIMEOUT", "1.5"}}),
             Contains("TORCH_ELASTIC_SHUTDOWN_TIMEOUT") && !Contains("--shutdown-timeout"));
  CHECK(parse({"--shutdown-timeout", "5", "x"}, {{"TORCH_ELASTIC_SHUTDOWN_TIMEOUT", "bad"}}).shutdown_timeout == 5);
  CHECK_THAT(error_of({"--max-restarts", "99999999999", "x"}), Contains("at most 2147483647"));
  CHECK_THAT(error_of({"--local-ranks-filter", "0,x", "x"}), Contains("local ranks") && Contains("0,x"));
}

TEST_CASE("signals may be named as kill names them, and workers are told PyTorch's names") {
  CHECK(parse({"--signals-to-handle", "TERM, usr1,SIGINT", "x"}).signals_to_handle == "SIGTERM,SIGUSR1,SIGINT");
}

TEST_CASE("the last of a repeated option counts") {
  CHECK(parse({"--max-restarts", "1", "--max_restarts=2", "x"}).max_restarts == 2);
}

TEST_CASE("PET_ variables give defaults that the command line overrides") {
  const std::map<std::string, std::string> variables = {
      {"PET_NPROC_PER_NODE", "3"}, {"PET_STANDALONE", "1"}, {"PET_MODULE", "0"}, {"PET_MAX_RESTARTS", "5"}};
  const auto options = parse({"--max-restarts", "2", "x"}, variables);
  CHECK(options.nproc_per_node == "3");
  CHECK(options.standalone);
  CHECK_FALSE(options.module);
  CHECK(options.max_restarts == 2);
  CHECK_THAT(error_of({"x"}, {{"PET_STANDALONE", "yes"}}), Contains("PET_STANDALONE") && Contains("yes"));
}

TEST_CASE("an unknown option is named, with the nearest known one") {
  CHECK_THAT(error_of({"--standlone", "x"}), Contains("unknown option --standlone") && Contains("--standalone?"));
  CHECK_THAT(error_of({"--max-restart-count", "1", "x"}), Contains("--max-restart-count"));
  CHECK_THAT(error_of({"--zzzzzzzz", "x"}), Contains("--zzzzzzzz") && !Contains("Did you mean"));
  CHECK_THAT(error_of({"-q", "x"}), Contains("-q"));
  CHECK_THAT(error_of({"--rdzv", "x"}), Contains("ambiguous") && Contains("--rdzv-id") && Contains("--rdzv-backend"));
}

TEST_CASE("wrong values say which option and what was expected") {
  CHECK_THAT(error_of({"--max-restarts", "many", "x"}), Contains("--max-restarts") && Contains("many"));
  CHECK_THAT(error_of({"--max-restarts", "-1", "x"}), Contains("--max-restarts") && Contains("\"-1\""));
  CHECK_THAT(error_of({"--max-restarts", "--module", "x"}), Contains("--max-restarts needs a value"));
  CHECK_THAT(error_of({"--max-restarts=-1", "x"}), Contains("at least 0"));
  CHECK_THAT(error_of({"--nnodes", "3:2", "x"}), Contains("--nnodes 3:2"));
  CHECK_THAT(error_of({"--nnodes", "0", "x"}), Contains("--nnodes"));
  CHECK_THAT(error_of({"--monitor-interval", "soon", "x"}), Contains("--monitor-interval") && Contains("soon"));
  CHECK_THAT(error_of({"--standalone=yes", "x"}), Contains("takes no value"));
  CHECK_THAT(error_of({"--nproc-per-node"}), Contains("needs a value"));
  CHECK_THAT(error_of({"--standalone"}), Contains("no program to run"));
  CHECK_THAT(error_of({"--standalone", "", "x"}), Contains("empty word"));
  CHECK_THAT(error_of({"-m", "--no-python", "x"}), Contains("exclude each other"));
}

TEST_CASE("log options are understood, also from the variables of torchrun") {
  const auto options = parse({"-r", "1", "-t0:2", "--log_dir", "/logs", "--local-ranks-filter", "0,2",
                              "--duplicate-stdout-filters", "a,,b,c", "x"},
                             {{"TORCHELASTIC_LOG_LINE_PREFIX_TEMPLATE", "${rank}"}});
  CHECK(options.logs.redirects.includes(5, Stream::out));
  CHECK(options.logs.tee.includes(0, Stream::err));
  CHECK(options.logs.log_dir == "/logs");
  CHECK(options.logs.local_ranks_filter == std::set<int>{0, 2});
  CHECK(options.logs.duplicate_filters[0] == Words{"a,b", "c"});
  CHECK(options.logs.line_prefix_template == "${rank}");
  CHECK_THAT(error_of({"--tee", "5", "x"}), Contains("--tee") && Contains("5"));
  CHECK_THAT(error_of({"--local-ranks-filter", "0,x", "x"}), Contains("--local-ranks-filter"));
}

TEST_CASE("the shutdown timeout comes from the option, else from torch's variable, else it is 30 s") {
  const std::map<std::string, std::string> variables = {{"TORCH_ELASTIC_SHUTDOWN_TIMEOUT", "7"}};
  CHECK(parse({"x"}).shutdown_timeout == 30);
  CHECK(parse({"x"}, variables).shutdown_timeout == 7);
  CHECK(parse({"--shutdown-timeout", "0", "x"}, variables).shutdown_timeout == 0);
  CHECK_THAT(error_of({"--shutdown-timeout=-1", "x"}), Contains("--shutdown-timeout"));
}

TEST_CASE("choices are checked, and what only Python can do is refused") {
  CHECK(parse({"--start-method", "fork", "--event-log-handler", "null", "x"}).program == "x");
  CHECK_THAT(error_of({"--start-method", "thread", "x"}), Contains("thread") && Contains("forkserver"));
  CHECK_THAT(error_of({"--event-log-handler", "mine", "x"}), Contains("mine"));
  CHECK_THAT(error_of({"--signals-to-handle", "SIGNAL", "x"}), Contains("SIGNAL"));
  CHECK(parse({"--logs-specs", "default", "x"}).program == "x");
  CHECK_THAT(error_of({"--logs-specs", "mine", "x"}), Contains("--logs-specs mine") && Contains("Python"));
  CHECK_FALSE(parse({"--event-log-handler", "null", "x"}).logs_events);
  CHECK(parse({"--event-log-handler=console", "x"}).logs_events);
  CHECK_THAT(error_of({"--numa-binding", "core", "x"}), Contains("core-complex"));
  CHECK(parse({"--numa-binding=core-complex", "x"}).numa_binding == NumaBinding::core_complex);
}

TEST_CASE("the option --print-completion asks for the script of one of four shells") {
  for (const char* shell : {"bash", "zsh", "fish", "tcsh"}) {
    const auto parsed =
        parse_command_line({"--print-completion", shell}, [](const std::string&) { return std::nullopt; });
    CHECK(parsed.completion_shell == shell);
  }
  CHECK_THAT(error_of({"--print-completion", "ksh"}), Contains("ksh") && Contains("zsh"));
}

TEST_CASE("the option --help shows every option in groups, --version the version, also without a program") {
  const auto help = parse_command_line({"--help"}, [](const std::string&) { return std::nullopt; });
  REQUIRE(help.text);
  for (const char* word :
       {"--nproc-per-node", "--standalone", "--max-restarts", "--no-python", "Exit codes", "Workers"}) {
    CHECK_THAT(*help.text, Contains(word));
  }
  const auto version = parse_command_line({"--version"}, [](const std::string&) { return std::nullopt; });
  CHECK_THAT(version.text.value(), Catch::Matches("mdl-launch [0-9]+\\.[0-9]+\\.[0-9]+.*\n"));
}

TEST_CASE("the port of the metrics is one of this machine alone, or of a host that is named") {
  CHECK_FALSE(parse({"x"}).metrics);
  CHECK(parse({"--metrics-port", "9400", "x"}).metrics == mdl::Endpoint("localhost", 9400));
  CHECK(parse({"--metrics-port", "0", "x"}).metrics == mdl::Endpoint("localhost", 0));
  CHECK(parse({"--metrics-port=0.0.0.0:9400", "x"}).metrics == mdl::Endpoint("0.0.0.0", 9400));
  CHECK(parse({"--metrics-port=[::1]:0", "x"}).metrics == mdl::Endpoint("::1", 0));
  CHECK(parse({"x"}, {{"PET_METRICS_PORT", "node0:9400"}}).metrics == mdl::Endpoint("node0", 9400));
  for (const char* wrong : {"", "x", "node0", "node0:", "node0:x", "70000", "-1", ":9400", "::1", "9400 9401"}) {
    CAPTURE(wrong);
    CHECK_THAT(error_of({"--metrics-port", wrong, "x"}), Contains("--metrics-port must be a port, or a host"));
  }
}

TEST_CASE("the page of a job is at a port of this machine alone, or of a host that is named") {
  CHECK_FALSE(parse({"x"}).dashboard);
  CHECK(parse({"--dashboard", "8080", "x"}).dashboard == mdl::Endpoint("localhost", 8080));
  CHECK(parse({"--dashboard=0.0.0.0:0", "x"}).dashboard == mdl::Endpoint("0.0.0.0", 0));
  CHECK(parse({"x"}, {{"PET_DASHBOARD", "node0:8080"}}).dashboard == mdl::Endpoint("node0", 8080));
  CHECK_THAT(error_of({"--dashboard", "node0", "x"}), Contains("--dashboard must be a port, or a host"));
  CHECK_THAT(error_of({"--dashboard", "8080", "--metrics-port", "8080", "x"}),
             Contains("--metrics-port and --dashboard are both 8080"));
  CHECK(parse({"--dashboard", "0", "--metrics-port", "0", "x"}).dashboard->port == 0);
}

TEST_CASE("a health command keeps its words for later, and says what is wrong with them at once") {
  CHECK(parse({"x"}).health_command.empty());
  CHECK(parse({"--health-command", "./check -v", "x"}).health_command == "./check -v");
  CHECK(parse({"--health-command=./check '-v'", "x"}).health_command == "./check '-v'");
  CHECK(parse({"x"}, {{"PET_HEALTH_COMMAND", "./check"}}).health_command == "./check");
  CHECK_THAT(error_of({"--health-command", "a | b", "x"}), Contains("--health-command has a |"));
  CHECK_THAT(error_of({"--health-command", "", "x"}), Contains("--health-command is empty"));
  CHECK_THAT(error_of({"x"}, {{"PET_HEALTH_COMMAND", "'a"}}),
             Contains("the environment variable PET_HEALTH_COMMAND has a '"));
}
