// The names of gloo::transport that torch's ProcessGroupGloo.hpp uses behind pointers: see ../../README.md.
#pragma once

namespace gloo::transport {

class Device;
class UnboundBuffer;

}  // namespace gloo::transport
