#include "net/store/history_path.h"

#include <sys/stat.h>

#include <filesystem>
#include <system_error>

#include <fmt/format.h>

namespace tocsin::net {
namespace {

namespace fs = std::filesystem;

// As many as the kernel follows (path_resolution(7)).
constexpr int kMaxLinks = 40;

}  // namespace

std::expected<std::string, std::string> place_of_history(const std::string& path) {
  // Not canonical(): the file that a link leads to may not be there yet.
  fs::path place = path;
  std::error_code error;
  for (int links = 0; fs::is_symlink(fs::symlink_status(place, error)); ++links) {
    if (links == kMaxLinks) return std::unexpected("is a link without an end");
    const fs::path target = fs::read_symlink(place, error);
    if (error) return std::unexpected(error.message());
    place = place.parent_path() / target;
  }
  const fs::path folder = place.parent_path();
  const fs::path real = fs::canonical(folder.empty() ? "." : folder, error);
  if (error) return std::unexpected(fmt::format("its folder: {}", error.message()));
  place = real / place.filename();
  struct stat status{};
  if (::lstat(place.c_str(), &status) != 0) return place.string();
  if (!S_ISREG(status.st_mode)) return std::unexpected("is no regular file");
  if (status.st_nlink > 1) return std::unexpected("has another name as well (a hard link)");
  return place.string();
}

std::string exposure_of_history(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return {};
  const bool changeable = (status.st_mode & S_IWOTH) != 0;
  if (!changeable && (status.st_mode & S_IROTH) == 0) return {};
  return fmt::format("{} can be {} by everybody (mode {:04o})", path,
                     changeable ? "changed" : "read", status.st_mode & 07777U);
}

}  // namespace tocsin::net
