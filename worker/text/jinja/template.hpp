#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "worker/text/jinja/syntax.hpp"

namespace mdl::worker::text::jinja {

/// A template of the language Jinja, in the part of it that chat templates use and with the settings that transformers
/// gives it: trim_blocks, lstrip_blocks, break and continue, {% generation %}, raise_exception, strftime_now, tojson.
///
/// Statements: for (with if, else, loop.*), if, set (also namespace attributes and blocks), macro. Expressions: all
/// operators but ** and chained comparisons. Values are copied, so there is nothing a template could change or reach
/// but its own variables. Names that are not supported are errors, never silently empty.
class Template {
 public:
  /// Throws Error with the line when `source` does not parse.
  explicit Template(std::string_view source);

  /// `variables`: a mapping of the names that the template may use. Throws Error with the line when it fails, also when
  /// the template itself refuses by raise_exception.
  std::string render(const Value& variables) const;

 private:
  std::shared_ptr<const Body> body_;
};

}  // namespace mdl::worker::text::jinja
