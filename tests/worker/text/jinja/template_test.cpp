#include "worker/text/jinja/template.hpp"

#include <catch2/catch.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "tests/temp_dir.hpp"
#include "worker/processor/chat_template.hpp"

using mdl::worker::text::jinja::Template;
using mdl::worker::text::jinja::Value;

namespace {
std::string render(const char* source, const Value& variables = Value::object()) {
  return Template(source).render(variables);
}
}  // namespace

TEST_CASE("a template that is not supported says in which line and what") {
  CHECK_THROWS_WITH(render("a\n{{ x | frobnicate }}"), Catch::Contains("line 2") && Catch::Contains("frobnicate"));
  CHECK_THROWS_WITH(render("{{ x is odder }}"), Catch::Contains("odder"));
  CHECK_THROWS_WITH(render("{{ frob(1) }}"), Catch::Contains("frob"));
  CHECK_THROWS_WITH(render("{{ 'a'.frob() }}"), Catch::Contains("frob"));
  CHECK_THROWS_WITH(render("\n\n{% include 'x' %}"), Catch::Contains("line 3") && Catch::Contains("include"));
}

TEST_CASE("a template that does not parse says so") {
  for (const char* source :
       {"{% if x %}", "{{ x", "{{ 'x }}", "{% for in y %}{% endfor %}", "{% endif %}", "{{ (1 }}", "{{ 1 2 }}",
        "{% set x %}", "{# x", "{{ x[ }}", "{{ 1 < 2 < 3 }}", "{% macro %}{% endmacro %}", "{{ 'x\\u12' }}"}) {
    INFO(source);
    CHECK_THROWS_AS(render(source), mdl::Error);
  }
}

TEST_CASE("what only fails when it runs is an error with its line") {
  for (const char* source :
       {"{{ x.y }}", "{{ 1 + 'a' }}", "{{ 1 // 0 }}", "{% set x.y = 1 %}", "{{ raise_exception('no') }}", "{{ [1] }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "{{ range(1000000000) }}",
        "{{ [1] | tojson(indent=1000000000) }}", "{{ 'x' * 1000000000 }}", "{{ x | tojson }}",
        "{% for a, b in [[1]] %}{% endfor %}", "{{ 'É' | lower }}"}) {
    INFO(source);
    CHECK_THROWS_WITH(render(source), Catch::StartsWith("line 1"));
  }
}

TEST_CASE("the template is looked for where transformers looks") {
  const mdl::test::TempDir folder;
  const auto put = [&](const char* name, const std::string& text) {
    mdl::write_text_atomically(folder.path() / name, text);
  };
  put("tokenizer_config.json", R"({"eos_token": {"content": "<e>"}})");
  CHECK_THROWS_WITH(mdl::worker::processor::ChatTemplate::load(folder.path()), Catch::Contains("no chat template"));
  put("tokenizer_config.json",
      R"({"eos_token": {"content": "<e>"}, "chat_template": [{"name": "tool", "template": "t"}, {"name": "default", "template": "c{{ eos_token }}"}]})");
  CHECK(mdl::worker::processor::ChatTemplate::load(folder.path()).apply({}, false) == "c<e>");
  put("chat_template.json", R"({"chat_template": "j"})");
  CHECK(mdl::worker::processor::ChatTemplate::load(folder.path()).apply({}, false) == "j");
  put("chat_template.jinja",
      "{% for m in messages %}{{ m.role }}:{{ m.content[0].text }}{% endfor %}{{ add_generation_prompt }}");
  CHECK(mdl::worker::processor::ChatTemplate::load(folder.path()).apply({{"user", {{"text", "hi"}}}}, true) ==
        "user:hiTrue");
  put("chat_template.jinja", "{% if %}");
  CHECK_THROWS_WITH(mdl::worker::processor::ChatTemplate::load(folder.path()),
                    Catch::Contains("chat_template.jinja") && Catch::Contains("line 1"));
}
