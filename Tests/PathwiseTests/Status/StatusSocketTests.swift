import Glibc
import PathTelemetry
import Synchronization
import Testing

@testable import Pathwise

/// The socket on which a process tells its status, and those who ask badly.
@Suite(.serialized, .timeLimit(.minutes(1))) struct StatusSocketTests {
    private let folder = Folders()
    private var place: String { folder.file("run/pathwise") }

    private func open(_ answer: String = "{}") throws -> StatusSocket {
        try StatusSocket(
            folder: place, command: "send", name: "home-1", tick: {},
            answer: { request in Array("\(request) \(answer)".utf8) })
    }

    private func only() throws -> StatusProcess {
        let all = StatusFolder.processes(in: place)
        #expect(all.count == 1)
        return try #require(all.first)
    }

    @Test func asksAndAnswers() throws {
        let socket = try open()
        let process = try only()
        #expect(process.command == "send" && process.name == "home-1")
        #expect(process.process == getpid())
        for word in ["send", "home-1", "\(getpid())"] { #expect(process.matches(word)) }
        #expect(!process.matches("home"))
        #expect(try process.ask(.json) == Array("json {}\n".utf8))
        #expect(try process.ask(.text) == Array("text {}\n".utf8))
        socket.close()
        #expect(StatusFolder.processes(in: place).isEmpty)
        #expect(try process.ask(.json) == nil)
    }

    /// An answer that is larger than the socket's buffers arrives whole.
    @Test func aLongAnswer() throws {
        let socket = try open(String(repeating: "x", count: 5_000_000))
        defer { socket.close() }
        #expect(try only().ask(.json)?.count == 5_000_006)
    }

    @Test func onlyThisUserMayAsk() throws {
        let socket = try open()
        defer { socket.close() }
        var information = stat()
        #expect(stat(place, &information) == 0 && information.st_mode & 0o777 == 0o700)
        let file = "\(place)/\(StatusProcess.file(command: "send", name: "home-1"))"
        #expect(stat(file, &information) == 0 && information.st_mode & 0o777 == 0o600)
        chmod(place, 0o755)
        #expect(throws: StatusError.unsafeFolder(place)) {
            try StatusSocket(folder: place, command: "serve", tick: {}, answer: { _ in [] })
        }
    }

    /// Clients that say nothing, too much, or nonsense do not keep others from their answer.
    @Test func badClients() throws {
        let socket = try open()
        defer { socket.close() }
        let process = try only()
        let silent = try (0..<7).map { _ in try UnixSocket.connect(process.path) }
        defer { for descriptor in silent { close(descriptor) } }
        for words in ["", "status\n", "json", String(repeating: "j", count: 10_000)] {
            let descriptor = try UnixSocket.connect(process.path)
            _ = send(descriptor, words, words.utf8.count, Int32(MSG_NOSIGNAL))
            shutdown(descriptor, Int32(SHUT_WR))
            var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            #expect(poll(&wait, 1, 1500) == 1, "cut off at once: \(words.prefix(8))")
            var byte: UInt8 = 0
            #expect(recv(descriptor, &byte, 1, 0) <= 0)
            close(descriptor)
            #expect(try process.ask(.json) == Array("json {}\n".utf8))
        }
        // The silent ones are cut off after two seconds.
        var wait = pollfd(fd: silent[0], events: Int16(POLLIN), revents: 0)
        #expect(poll(&wait, 1, 4000) == 1)
        var byte: UInt8 = 0
        #expect(recv(silent[0], &byte, 1, 0) == 0)
    }

    /// Silent clients in any number do not delay an answer; 16 of them are served at most.
    @Test func manySilentClients() throws {
        let socket = try open()
        defer { socket.close() }
        let process = try only()
        var silent: [Int32] = []
        defer { for descriptor in silent { close(descriptor) } }
        for _ in 0..<40 {
            silent.append(try UnixSocket.connect(process.path))
            usleep(5_000)
        }
        let start = MonotonicTime.milliseconds()
        #expect(try process.ask(.json) == Array("json {}\n".utf8))
        #expect(MonotonicTime.milliseconds() - start < 1000)
        var isClosed = 0
        for descriptor in silent {
            var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            if poll(&wait, 1, 0) == 1 { isClosed += 1 }
        }
        #expect(isClosed >= 24, "\(isClosed) of 40 were cut off for others")
        // The rest is cut off after two seconds.
        var wait = pollfd(fd: silent[39], events: Int16(POLLIN), revents: 0)
        #expect(poll(&wait, 1, 4000) == 1)
    }

    /// A change is answered later, from another thread, while others get their status.
    @Test func aChangeIsAnsweredLater() throws {
        let waiting = Guarded<[@Sendable ([UInt8]) -> Void]>([])
        let socket = try StatusSocket(
            folder: place, command: "send", tick: {}, answer: { _ in [1] },
            change: { words, reply in
                guard words != ["later"] else { return waiting.withLock { $0.append(reply) } }
                reply(Array(words.joined(separator: "|").utf8))
            })
        let process = try only()
        #expect(
            try process.ask(.change(["path", "a b", "\u{e9}"])) == Array("path|a b|\u{e9}\n".utf8))
        let got = Guarded<[UInt8]?>(nil)
        try WorkerThread(named: "test-asker") {
            let answer = try? process.ask(.change(["later"]))
            got.withLock { $0 = answer }
        }.detach()
        for _ in 0..<1000 where waiting.withLock({ $0.isEmpty }) { usleep(2_000) }
        // More than two seconds, after which a silent client is cut off.
        for _ in 0..<12 {
            #expect(try process.ask(.json) == [1, 10])
            usleep(200_000)
        }
        #expect(got.withLock { $0 } == nil)
        let reply = try #require(waiting.withLock { $0.first })
        reply([7])
        reply([8])
        for _ in 0..<1000 where got.withLock({ $0 }) == nil { usleep(2_000) }
        #expect(got.withLock { $0 } == [7, 10])
        socket.close()
        reply([9])
    }

    /// Damaged requests are no requests; what is one is read as it was written.
    @Test func damagedRequests() throws {
        let count = getenv("PATHWISE_FUZZ").flatMap { Int(String(cString: $0)) } ?? 20_000
        let originals = ["json", "text", "change\tpath\tadd\tlte=wwan0", "change\treload"]
            .map { Array($0.utf8) }
        var generator = SeededGenerator(seed: 11)
        var accepted = 0
        for number in 0..<count {
            var line = originals[number % originals.count]
            for _ in 0..<(generator.next() % 4) {
                let place = Int(generator.next() % UInt64(line.count + 1))
                let byte = UInt8(truncatingIfNeeded: generator.next())
                switch generator.next() % 4 {
                case 0: line.insert(byte, at: place)
                case 1 where place < line.count: line.remove(at: place)
                case 2: line.insert(9, at: place)
                default: if place < line.count { line[place] = byte }
                }
            }
            guard let request = StatusRequest(line) else { continue }
            accepted += 1
            #expect(request.line == line + [10], "request \(number)")
            if case .change(let words) = request {
                #expect(!words.isEmpty && words.allSatisfy(StatusRequest.isWord))
            }
        }
        #expect(accepted > count / 10 && accepted < count, "\(accepted) of \(count)")
        let long = "change" + String(repeating: "\tx", count: 65)
        #expect(StatusRequest(Array(long.utf8)) == nil)
        #expect(
            StatusRequest(Array(("change\t" + String(repeating: "x", count: 8192)).utf8)) == nil)
        for wrong in ["", "change", "change\t", "change\ta\t\tb", "json\t", "change\ta\u{7f}"] {
            #expect(StatusRequest(Array(wrong.utf8)) == nil, "\(wrong)")
        }
    }

    @Test func ticksComeEachSecond() async throws {
        let socket = try StatusSocket(
            folder: place, command: "send",
            tick: { Counter.ticks.add(1, ordering: .relaxed) }, answer: { _ in [] })
        let start = MonotonicTime.milliseconds()
        try await Task.sleep(for: .milliseconds(1_300))
        socket.close()
        // One at once, and then one each second.
        let most = Int(MonotonicTime.milliseconds() - start) / 1000 + 1
        let ticks = Counter.ticks.load(ordering: .relaxed)
        #expect(ticks >= 2 && ticks <= most, "\(ticks) of \(most)")
    }

    private enum Counter { static let ticks = Atomic<Int>(0) }

    /// Sockets of killed processes are no processes, and the next start removes them.
    @Test func socketsOfKilledProcesses() throws {
        try StatusFolder.make(place)
        // A socket that nobody listens on any more.
        let stale = "\(place)/forward-99999999.sock"
        close(try UnixSocket.listen(stale))
        let unfinished = "\(place)/.99999999.new"
        close(try UnixSocket.listen(unfinished))
        write(Array("x".utf8), to: "\(place)/notes.txt")
        #expect(try only().ask(.json) == nil)
        let socket = try open()
        defer { socket.close() }
        #expect(try only().command == "send")
        #expect(access(stale, F_OK) != 0 && access(unfinished, F_OK) != 0)
        #expect(access("\(place)/notes.txt", F_OK) == 0)
    }

    @Test func namesOfSockets() {
        func parsed(_ file: String) -> String? {
            StatusProcess(folder: "/x", file: file).map { "\($0.command)|\($0.name)|\($0.process)" }
        }
        #expect(parsed("serve-12.sock") == "serve||12")
        #expect(parsed("forward-my-home-12.sock") == "forward|my-home|12")
        for file in [
            "serve.sock", "serve-.sock", "serve-0.sock", "serve--5.sock", ".serve-1.sock",
            "serve-12", "-12.sock", "se\u{1b}rve-12.sock", "serve-99999999999.sock",
        ] {
            #expect(parsed(file) == nil, "\(file)")
        }
    }

    @Test func aNameThatIsTooLong() throws {
        let long = folder.file(String(repeating: "d", count: 120))
        #expect(throws: StatusError.self) {
            try StatusSocket(folder: long, command: "send", tick: {}, answer: { _ in [] })
        }
        do {
            _ = try StatusSocket(folder: long, command: "send", tick: {}, answer: { _ in [] })
        } catch {
            #expect("\(error)".contains("is too long for the name of a socket (107 bytes)"))
        }
    }
}
