// A stand-in for NVIDIA's libnvidia-ml.so.1 that reports MDL_FAKE_GPUS GPUs (2 when it is not set), for machines
// without a GPU. Both the launcher and the real torch count with it.
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {
unsigned gpu_count() {
  const char* text = std::getenv("MDL_FAKE_GPUS");
  return text ? static_cast<unsigned>(std::atoi(text)) : 2;
}
char devices[64];
}  // namespace

extern "C" {
int nvmlInit() {
  return 0;
}
int nvmlInit_v2() {
  return 0;
}
int nvmlShutdown() {
  return 0;
}
int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = gpu_count();
  return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  if (index >= gpu_count() || index >= sizeof devices) {
    return 2;  // NVML_ERROR_INVALID_ARGUMENT
  }
  *device = &devices[index];
  return 0;
}
// MDL_FAKE_PCI: the GPUs' PCI addresses, "0000:00:01.0,0000:00:02.0"; without it they are not known.
int nvmlDeviceGetPciInfo_v3(void* device, void* info) {
  struct Address {
    char short_address[16];
    unsigned domain, bus, device;
  };
  const char* text = std::getenv("MDL_FAKE_PCI");
  for (auto index = static_cast<char*>(device) - devices; text && index > 0; --index) {
    text = std::strchr(text, ',');
    if (text) { ++text; }
  }
  auto* address = static_cast<Address*>(info);
  const bool known = text && std::sscanf(text, "%x:%x:%x", &address->domain, &address->bus, &address->device) == 3;
  return known ? 0 : 3;  // NVML_ERROR_NOT_SUPPORTED
}
// MDL_FAKE_MEMORY: bytes of memory of each GPU; without it they are not known.
int nvmlDeviceGetMemoryInfo(void* /*device*/, void* memory) {
  const char* text = std::getenv("MDL_FAKE_MEMORY");
  if (!text) { return 3; }
  *static_cast<unsigned long long*>(memory) = std::strtoull(text, nullptr, 10);  // total, before free and used
  return 0;
}
// MDL_FAKE_DRIVER: the driver's version, "580.65.06"; MDL_FAKE_CUDA: the newest CUDA that it runs, "13020".
int nvmlSystemGetDriverVersion(char* version, unsigned length) {
  const char* text = std::getenv("MDL_FAKE_DRIVER");
  if (!text) { return 3; }
  std::snprintf(version, length, "%s", text);
  return 0;
}
int nvmlSystemGetCudaDriverVersion_v2(int* version) {
  const char* text = std::getenv("MDL_FAKE_CUDA");
  if (!text) { return 3; }
  *version = std::atoi(text);
  return 0;
}
int nvmlDeviceGetUUID(void* device, char* uuid, unsigned length) {
  const auto index = static_cast<char*>(device) - devices;
  std::snprintf(uuid, length, "GPU-%02dfa7e11e-0000-4000-8000-00000000000%d", static_cast<int>(index),
                static_cast<int>(index));
  return 0;
}
int nvmlDeviceGetHandleByUUID(const char* uuid, void** device) {
  for (unsigned index = 0; index < gpu_count() && index < sizeof devices; ++index) {
    char own[64];
    nvmlDeviceGetUUID(&devices[index], own, sizeof own);
    if (std::strcmp(uuid, own) != 0) { continue; }
    *device = &devices[index];
    return 0;
  }
  return 6;  // NVML_ERROR_NOT_FOUND
}
int nvmlDeviceGetName(void* /*device*/, char* name, unsigned length) {
  std::snprintf(name, length, "Fake GPU");
  return 0;
}
// MDL_FAKE_ECC: "corrected uncorrected" errors of each GPU; without it they are not counted.
int nvmlDeviceGetTotalEccErrors(void* /*device*/, int type, int counter, unsigned long long* count) {
  const char* text = std::getenv("MDL_FAKE_ECC");
  unsigned long long corrected = 0, uncorrected = 0;
  if (!text || counter != 0 || std::sscanf(text, "%llu %llu", &corrected, &uncorrected) != 2) { return 3; }
  *count = type == 0 ? corrected : uncorrected;
  return 0;
}
// MDL_FAKE_PENDING_ROWS: 1 where rows wait to be replaced.
int nvmlDeviceGetRemappedRows(void* /*device*/, unsigned* corrected, unsigned* uncorrected, unsigned* pending,
                              unsigned* failed) {
  const char* text = std::getenv("MDL_FAKE_PENDING_ROWS");
  if (!text) { return 3; }
  *corrected = *uncorrected = *failed = 0;
  *pending = static_cast<unsigned>(std::atoi(text));
  return 0;
}
// MDL_FAKE_CONDITION: "84 1200 1980 0x40": degrees, MHz now and at most, what slows it down; without it nothing is
// known.
int fake_condition(int which, unsigned long long* value) {
  const char* text = std::getenv("MDL_FAKE_CONDITION");
  unsigned long long values[4] = {};
  if (!text || std::sscanf(text, "%llu %llu %llu %llx", &values[0], &values[1], &values[2], &values[3]) != 4) {
    return 3;
  }
  *value = values[which];
  return 0;
}
int fake_number(int which, unsigned* value) {
  unsigned long long number = 0;
  const int result = fake_condition(which, &number);
  *value = static_cast<unsigned>(number);
  return result;
}
int nvmlDeviceGetTemperature(void* /*device*/, int sensor, unsigned* degrees) {
  return sensor == 0 ? fake_number(0, degrees) : 2;
}
int nvmlDeviceGetClockInfo(void* /*device*/, int clock, unsigned* megahertz) {
  return clock == 1 ? fake_number(1, megahertz) : 2;
}
int nvmlDeviceGetMaxClockInfo(void* /*device*/, int clock, unsigned* megahertz) {
  return clock == 1 ? fake_number(2, megahertz) : 2;
}
int nvmlDeviceGetCurrentClocksThrottleReasons(void* /*device*/, unsigned long long* reasons) {
  return fake_condition(3, reasons);
}
// MDL_FAKE_XIDS: "79,13", Xid errors that come once somebody listens; without it nobody can.
int nvmlEventSetCreate(void** set) {
  static const char* rest = nullptr;
  rest = std::getenv("MDL_FAKE_XIDS");
  *set = &rest;
  return rest ? 0 : 3;
}
int nvmlDeviceRegisterEvents(void* /*device*/, unsigned long long types, void* /*set*/) {
  return types == 8 ? 0 : 2;
}
int nvmlEventSetWait_v2(void* set, void* event, unsigned /*milliseconds*/) {
  struct Event {
    void* device;
    unsigned long long type, data;
  };
  auto** const rest = static_cast<const char**>(set);
  if (!*rest || !**rest) { return 10; }  // NVML_ERROR_TIMEOUT
  static_cast<Event*>(event)->data = std::strtoull(*rest, nullptr, 10);
  *rest = std::strchr(*rest, ',');
  if (*rest) { ++*rest; }
  return 0;
}
int nvmlEventSetFree(void* /*set*/) {
  return 0;
}
}
