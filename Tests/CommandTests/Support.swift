import Glibc
import Testing

/// A temporary folder that is removed with its content.
final class Scratch {
    let path: String

    /// - Parameter inMemory: uses a folder in memory if there is one, for very many files.
    init(inMemory: Bool = false) {
        let folder = inMemory && access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
        var template = Array("\(folder)/pathwise-command-XXXXXX".utf8CString)
        path = mkdtemp(&template).map { String(cString: $0) } ?? "/tmp"
    }

    func file(_ name: String) -> String { path + "/" + name }

    deinit {
        if path.contains("/pathwise-command-") { Scratch.remove(path) }
    }

    static func remove(_ path: String) {
        var information = stat()
        guard lstat(path, &information) == 0 else { return }
        if information.st_mode & S_IFMT == S_IFDIR {
            for name in names(in: path) { remove(path + "/" + name) }
            rmdir(path)
        } else {
            unlink(path)
        }
    }

    /// Names in a folder, sorted.
    static func names(in path: String) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }
}

/// The result of a run of the built program.
struct Finished {
    var output: String
    var errors: String
    var status: Int32

    /// The one line on standard error, without its end; nil if there is not exactly one line.
    var errorLine: String? {
        let lines = errors.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.count == 2 && lines[1].isEmpty ? String(lines[0]) : nil
    }
}

/// The built program, as a process.
struct Pathwise {
    /// Beside the test bundle.
    static let binary: String = {
        if let path = getenv("PATHWISE_BINARY") { return String(cString: path) }
        var room = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &room, room.count - 1)
        let bytes = room[..<max(0, count)].map(UInt8.init(bitPattern:))
        let bundle = String(decoding: bytes, as: UTF8.self)
        return bundle.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 } + "/pathwise"
    }()

    let process: pid_t
    private let folder = Scratch()

    /// Starts the program with its standard output and standard error in files, in a network
    /// namespace if one is named.
    ///
    /// - Parameters:
    ///   - inputFile: a file or pipe that it reads instead of a text.
    ///   - shell: a shell script that runs the command, which is `"$@"` in it.
    init(
        _ arguments: [String], input: String? = nil, inputFile: String? = nil,
        namespace: String? = nil, shell: String? = nil
    ) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let source = inputFile ?? (input == nil ? "/dev/null" : folder.file("in"))
        if let input { write(Array(input.utf8), to: source) }
        posix_spawn_file_actions_addopen(&actions, 0, source, O_RDONLY, 0)
        for (descriptor, name) in [(Int32(1), "out"), (2, "err")] {
            posix_spawn_file_actions_addopen(
                &actions, descriptor, folder.file(name), O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        }
        let script = shell ?? namespace.map { "exec ip netns exec \($0) \"$@\"" }
        let launcher = script.map { ["/bin/sh", "-c", $0, "sh"] }
        let line = (launcher ?? []) + [Pathwise.binary] + arguments
        var words = line.map { strdup($0) } + [nil]
        var environment: [UnsafeMutablePointer<CChar>?] = [
            strdup("PATH=/usr/bin:/bin:/usr/sbin:/sbin"), strdup("LC_ALL=C"), nil,
        ]
        defer { for word in words + environment { free(word) } }
        var number = pid_t()
        let code = posix_spawn(&number, line[0], &actions, nil, &words, &environment)
        try #require(code == 0, "cannot run \(Pathwise.binary): \(String(cString: strerror(code)))")
        process = number
    }

    /// What it has printed so far.
    var output: String { text(of: folder.file("out")) }
    var errorText: String { text(of: folder.file("err")) }

    func interrupt() { kill(process, SIGINT) }

    /// Waits for its end; a process that does not end is killed, so that the test fails.
    func wait() -> Finished {
        var status: Int32 = 0
        let limit = seconds() + 240
        while waitpid(process, &status, WNOHANG) == 0 {
            if seconds() > limit { kill(process, SIGKILL) }
            usleep(2_000)
        }
        // WIFEXITED and WEXITSTATUS; a signal's number is made negative.
        let code = status & 0x7f == 0 ? status >> 8 & 0xff : -(status & 0x7f)
        return Finished(output: output, errors: text(of: folder.file("err")), status: code)
    }

    static func run(_ arguments: String..., input: String? = nil) throws -> Finished {
        try Pathwise(arguments, input: input).wait()
    }
}

func bytes(of path: String) -> [UInt8]? {
    guard let file = fopen(path, "rb") else { return nil }
    defer { fclose(file) }
    var content: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = fread(&chunk, 1, chunk.count, file)
        if count == 0 { return content }
        content.append(contentsOf: chunk[0..<count])
    }
}

func text(of path: String) -> String {
    bytes(of: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
}

func write(_ content: [UInt8], to path: String) {
    guard let file = fopen(path, "wb") else { return }
    fwrite(content, 1, content.count, file)
    fclose(file)
}

/// The resident memory of a process, megabytes.
func residentMegabytes(_ process: pid_t) -> Double {
    let status = text(of: "/proc/\(process)/status")
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
    let words = line?.split(separator: " ", omittingEmptySubsequences: true)
    let kilobytes = words?.dropFirst().first.flatMap { Double($0.filter(\.isNumber)) }
    return (kilobytes ?? 0) / 1000
}
