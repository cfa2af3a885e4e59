import Glibc
import PathTelemetry
import PathTransport
import Pathwise
import Testing

@testable import PathForward

/// A process without descriptors left: each new flow is refused as its protocol says, and flows are taken
/// when some are free again.
///
/// It happens in a child process, because the other tests of this one need descriptors.
@Suite(.timeLimit(.minutes(1))) struct DescriptorTests {
    private static let mark = "PATHWISE_DESCRIPTOR_TEST"
    private static let isChild = getenv(mark) != nil

    /// libdispatch ends a process that cannot open the states of its threads; that is no fault of ours,
    /// happens only while not a single descriptor is left, and is tried again.
    @Test(.enabled(if: !isChild, "the child"))
    func flowsAreRefusedWithoutDescriptors() async throws {
        for attempt in 1...3 {
            let (status, output) = try await blocking { try DescriptorTests.runChild() }
            if attempt < 3, output.contains("_dispatch_workq_monitor_pools") { continue }
            #expect(status == 0, "\(output)")
            return
        }
    }

    private static func runChild() throws -> (status: Int32, output: String) {
        var name = Array("/tmp/pathwise-descriptors-XXXXXX".utf8CString)
        let file = mkstemp(&name)
        try #require(file >= 0)
        defer {
            close(file)
            unlink(name)
        }
        var process = pid_t()
        let program = try #require(realpath("/proc/self/exe", nil))
        defer { free(program) }
        // Sockets of other tests, open in the child too, would have the numbers on which all depends.
        let withoutOthers = """
            for file in /proc/self/fd/*; do
                number=${file##*/}
                if [ "$number" -gt 2 ]; then eval "exec $number>&-"; fi
            done
            exec "$@"
            """
        let words = [
            "bash", "-c", withoutOthers, "bash", String(cString: program),
            "--testing-library", "swift-testing", "--filter", "childOfDescriptorTests",
        ]
        var arguments = words.map { strdup($0) }
        arguments.append(nil)
        defer { for argument in arguments { free(argument) } }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for output in [STDOUT_FILENO, STDERR_FILENO] {
            posix_spawn_file_actions_adddup2(&actions, file, output)
        }
        setenv(mark, "1", 1)
        defer { unsetenv(mark) }
        let code = posix_spawn(&process, "/bin/bash", &actions, nil, arguments, environ)
        try #require(code == 0)
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = pread(file, &bytes, bytes.count, 0)
        return (status, String(decoding: bytes.prefix(max(0, count)), as: UTF8.self))
    }

    @Test(.enabled(if: isChild, "runs in a child process"))
    func childOfDescriptorTests() async throws {
        let target = try PlainServer.echo()
        let goal = "127.0.0.1:\(target.port)"
        let pair = try await ForwardPair(
            ["tcp:0=\(goal)", "socks:0", "http:0"], reverse: ["tcp:0=\(goal)"])
        let ports = try (0..<3).map { try pair.port($0) } + [try await pair.reversePort(3)]
        var limit = rlimit(rlim_cur: 256, rlim_max: 20_000)
        try #require(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
        let sockets = (0..<44).map { _ in
            PlainSocket(socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
        }
        var fillers = try await blocking { DescriptorTests.takeAll() }
        try await refusesWithoutAny(Array(sockets[..<12]), ports, pair)
        // What was open only for a moment at first has become free, with a low number.
        fillers += try await blocking { DescriptorTests.takeAll() }
        fillers.sort()
        // Proxies have some left for their dialogs.
        for filler in fillers.suffix(24) { close(filler) }
        try await answersWithFew(Array(sockets[12..<16]), ports, pair, target.port)
        try await silentDialogsLeaveSome(Array(sockets[24...]), ports[1])
        for filler in fillers.dropLast(24) { close(filler) }
        try await blocking {
            for (socket, port) in zip(sockets[16...], [ports[0], ports[3]]) {
                #expect(PlainSocket.withAddress(port) { connect(socket.descriptor, $0, $1) } == 0)
                socket.write("ping")
                #expect(socket.read(exactly: 4) == Array("ping".utf8))
            }
        }
        await pair.close()
    }

    /// Opens descriptors until none is left and none becomes free for a while.
    private static func takeAll() -> [Int32] {
        var fillers: [Int32] = []
        var before = -1
        while fillers.count > before {
            before = fillers.count
            while case let filler = dup(0), filler >= 0 { fillers.append(filler) }
            #expect(errno == EMFILE)
            usleep(50_000)
        }
        return fillers
    }

    /// All kinds of listeners reset connections, at no cost while none come.
    private func refusesWithoutAny(
        _ sockets: [PlainSocket], _ ports: [UInt16], _ pair: ForwardPair
    ) async throws {
        try await blocking {
            for (index, socket) in sockets.enumerated() {
                let port = ports[index % 4]
                #expect(PlainSocket.withAddress(port) { connect(socket.descriptor, $0, $1) } == 0)
                #expect(socket.read() == .failed(ECONNRESET))
            }
            let before = clock()
            usleep(400_000)
            // A loop that spins would use all of that time.
            #expect(clock() - before < 20_000)
        }
        for index in 0..<3 {
            let totals = pair.forwarder.forwards[index].totals
            #expect(totals.open == 0 && totals.failed == 3, "\(index): \(totals)")
            #expect(totals.failures == [.limitReached: 3])
        }
        #expect(pair.service.totals.failures == [.limitReached: 3])
        #expect(pair.failures.all.count == 3 && pair.clientFailures.all.count == 9)
    }

    /// A proxy answers, a plain forward resets, and the side of the target says why.
    private func answersWithFew(
        _ sockets: [PlainSocket], _ ports: [UInt16], _ pair: ForwardPair, _ target: UInt16
    ) async throws {
        let failed = pair.forwarder.forwards.map(\.totals.failed)
        try await blocking {
            for (socket, port) in zip(sockets, ports) {
                #expect(PlainSocket.withAddress(port) { connect(socket.descriptor, $0, $1) } == 0)
            }
            #expect(sockets[0].read() == .failed(ECONNRESET))
            sockets[1].write([5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, 0, 80])
            #expect(sockets[1].readAll().bytes == [5, 0, 5, 1, 0, 1, 0, 0, 0, 0, 0, 0])
            sockets[2].write("CONNECT 127.0.0.1:80 HTTP/1.1\r\n\r\n")
            let answer = String(decoding: sockets[2].readAll().bytes, as: UTF8.self)
            #expect(answer.hasPrefix("HTTP/1.1 503 Service Unavailable\r\n"))
            #expect(answer.contains("the client's limit of open files (256) is reached"))
            #expect(sockets[3].read() == .failed(ECONNRESET))
        }
        let now = pair.forwarder.forwards.map(\.totals.failed)
        #expect(now == failed.prefix(3).map { $0 + 1 } + [0])
        let goal = try ForwardTarget(parsing: "localhost:\(target)")
        for opening in [
            Opening.connect(goal, FlowOptions()), .datagrams(.target(goal), FlowOptions()),
            .datagrams(.any, FlowOptions()),
        ] {
            let stream = try pair.session.openStream(writing: opening.encoded())
            var bytes: [UInt8] = []
            while try ForwardResult.read(bytes) == nil { bytes += try await stream.read() }
            let result = try #require(try ForwardResult.read(bytes)).result
            #expect(result.code == .limitReached)
            #expect(result.text.hasPrefix("the server's limit of open files (256) is reached"))
            stream.cancel(code: 0)
        }
    }

    /// However many dialogs are open, the runtime has descriptors: half of the 32 kept ones are free.
    private func silentDialogsLeaveSome(_ sockets: [PlainSocket], _ port: UInt16) async throws {
        try await blocking {
            for socket in sockets {
                #expect(PlainSocket.withAddress(port) { connect(socket.descriptor, $0, $1) } == 0)
            }
            for socket in sockets.suffix(8) { #expect(socket.read() == .failed(ECONNRESET)) }
            let free = dup(0)
            #expect((0...240).contains(free), "\(free)")
            close(free)
        }
    }
}
