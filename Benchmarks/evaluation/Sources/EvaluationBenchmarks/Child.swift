import Glibc

/// A program that has run to its end; its standard output is read and discarded.
struct Child {
    /// Seconds until the first byte of output, and until the end.
    var firstByte: Double
    var seconds: Double
    /// Processor time of all its threads, seconds.
    var processor: Double
    /// Largest resident memory, MB.
    var memory: Double
    var status: Int32

    static func run(_ words: [String]) -> Child? {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { return nil }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        posix_spawn_file_actions_addclose(&actions, ends[0])
        let arguments = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var process: pid_t = 0
        let start = now()
        let code = posix_spawn(&process, words[0], &actions, nil, arguments, environ)
        close(ends[1])
        defer { close(ends[0]) }
        guard code == 0 else {
            print("cannot run \(words[0]): " + String(cString: strerror(code)))
            return nil
        }
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        var first: Double?
        while true {
            let count = read(ends[0], &buffer, buffer.count)
            if first == nil { first = now() - start }
            if count <= 0 { break }
        }
        var status: Int32 = 0
        var usage = rusage()
        wait4(process, &status, 0, &usage)
        let times = [usage.ru_utime, usage.ru_stime]
        return Child(
            firstByte: first ?? 0, seconds: now() - start,
            processor: times.reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) * 1e-6 },
            memory: Double(usage.ru_maxrss) / 1024, status: status)
    }

    /// Prints medians of several runs.
    static func report(_ name: String, runs: Int, _ words: [String]) {
        var all: [Child] = []
        for _ in 0..<runs {
            guard let child = run(words) else { return }
            guard child.status == 0 else {
                return print("\(name): ended with status \(child.status >> 8)")
            }
            all.append(child)
        }
        func median(_ value: (Child) -> Double) -> Double {
            all.map(value).sorted()[all.count / 2]
        }
        print(
            name + String(repeating: " ", count: max(1, 34 - name.count))
                + "\(milliseconds(median(\.seconds))) wall, "
                + "\(milliseconds(median(\.processor))) processor, first byte "
                + "\(milliseconds(median(\.firstByte))), \(Int(median(\.memory))) MB")
        fflush(nil)
    }
}

func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

func milliseconds(_ seconds: Double) -> String { "\((seconds * 1e4).rounded() / 10) ms" }

/// A folder for the files of a measurement, which is deleted with its contents.
struct Scratch: ~Copyable {
    let path: String

    init?() {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var folder = Array((parent + "/pathwise-bench-XXXXXX").utf8CString)
        guard mkdtemp(&folder) != nil else {
            print("no folder for temporary files in \(parent)")
            return nil
        }
        path = String(decoding: folder.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit {
        if let folder = opendir(path) {
            while let entry = readdir(folder) {
                let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                    String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
                }
                if name != ".", name != ".." { unlink(path + "/" + name) }
            }
            closedir(folder)
        }
        rmdir(path)
    }
}
