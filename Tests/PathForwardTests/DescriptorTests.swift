import Glibc
import PathTelemetry
import PathTransport
import Testing

@testable import PathForward

/// A process without descriptors left: accepting pauses, and goes on when some are free again.
///
/// It happens in a child process, because the other tests of this one need descriptors.
@Suite(.timeLimit(.minutes(1))) struct DescriptorTests {
    private static let mark = "PATHWISE_DESCRIPTOR_TEST"
    private static let isChild = getenv(mark) != nil

    @Test(.enabled(if: !isChild, "the child"))
    func acceptingPausesWithoutDescriptors() async throws {
        let status = try await blocking {
            var process = pid_t()
            let words = [
                "tests", "--testing-library", "swift-testing", "--filter", "childOfDescriptorTests",
            ]
            var arguments = words.map { strdup($0) }
            arguments.append(nil)
            defer { for argument in arguments { free(argument) } }
            setenv(DescriptorTests.mark, "1", 1)
            defer { unsetenv(DescriptorTests.mark) }
            let code = posix_spawn(&process, "/proc/self/exe", nil, nil, arguments, environ)
            try #require(code == 0)
            var status: Int32 = 0
            while waitpid(process, &status, 0) < 0, errno == EINTR {}
            return status
        }
        #expect(status == 0, "the output above is of the child")
    }

    @Test(.enabled(if: isChild, "runs in a child process"))
    func childOfDescriptorTests() async throws {
        let target = try PlainServer.echo()
        let pair = try await ForwardPair(["tcp:0=127.0.0.1:\(target.port)"])
        let port = try pair.port()
        var limit = rlimit(rlim_cur: 256, rlim_max: 20_000)
        try #require(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
        try await blocking {
            let clients = (0..<10).map { _ in
                PlainSocket(socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
            }
            var fillers: [Int32] = []
            while case let filler = dup(0), filler >= 0 { fillers.append(filler) }
            #expect(errno == EMFILE)
            // The system takes the connections; the forward cannot.
            for client in clients {
                #expect(PlainSocket.withAddress(port) { connect(client.descriptor, $0, $1) } == 0)
            }
            let before = clock()
            usleep(400_000)
            // A loop that spins would use all of that time.
            #expect(clock() - before < 200_000)
            #expect(pair.forwarder.forwards[0].totals.flows == 0)
            for filler in fillers { close(filler) }
            for client in clients {
                client.write("ping")
                #expect(client.read(exactly: 4) == Array("ping".utf8))
            }
        }
        await pair.close()
    }
}
