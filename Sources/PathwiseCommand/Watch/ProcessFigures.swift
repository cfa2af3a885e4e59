import Glibc
import PathWatch

/// What the system counts for this process, under the names that Prometheus has for it.
enum ProcessFigures {
    /// Adds the families.
    ///
    /// - Parameter running: seconds since the start.
    static func add(running: Double, to text: inout MetricsText) {
        var usage = rusage()
        getrusage(Int32(RUSAGE_SELF.rawValue), &usage)
        text.begin(
            "process_cpu_seconds_total", .counter, "Processor time of user and system.")
        text.add(.none, seconds(usage.ru_utime) + seconds(usage.ru_stime))
        text.begin(
            "process_start_time_seconds", .gauge, "Start of the process, seconds since 1970.")
        text.add(.none, (Double(time(nil)) - running).rounded())
        if let pages = resident() {
            text.begin("process_resident_memory_bytes", .gauge, "Resident memory.")
            text.add(.none, Double(pages) * Double(sysconf(Int32(_SC_PAGESIZE))))
        }
        if let count = descriptors() {
            text.begin("process_open_fds", .gauge, "Open file descriptors.")
            text.add(.none, Double(count))
        }
    }

    private static func seconds(_ time: timeval) -> Double {
        Double(time.tv_sec) + Double(time.tv_usec) / 1e6
    }

    /// Resident pages; nil without /proc.
    private static func resident() -> Int? {
        let file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 128)
        let count = read(file, &bytes, bytes.count)
        guard count > 0 else { return nil }
        let words = bytes[..<count].split(separator: 32)
        return words.count > 1 ? Int(String(decoding: words[1], as: UTF8.self)) : nil
    }

    private static func descriptors() -> Int? {
        guard let folder = opendir("/proc/self/fd") else { return nil }
        defer { closedir(folder) }
        var count = 0
        while readdir(folder) != nil { count += 1 }
        // `.`, `..`, and the folder that is read.
        return max(0, count - 3)
    }
}
