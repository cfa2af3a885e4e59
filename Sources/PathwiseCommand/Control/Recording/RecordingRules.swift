import PathTelemetry
import PathTrace

/// How a recording that stays on is kept: `--record-rules`.
struct RecordingRules: Equatable, Sendable {
    /// A file with so many bytes, or so old, is completed, and the next one begins.
    var size = 256_000_000
    var age = TimeDelta.seconds(86_400)
    /// The most bytes of all files of the folder; the oldest complete ones are removed.
    var total = 4_000_000_000
    /// The probability with which each decision is recorded.
    var share = 1.0

    static let form = "size=256MB,age=24h,total=4GB,share=100%"

    /// The rules of a text; nil gives the usual ones.
    init(parsing text: String? = nil) throws(SyntaxProblem) {
        for part in (text ?? "").split(separator: ",", omittingEmptySubsequences: text == nil) {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                .map(String.init)
            guard pair.count == 2 else {
                throw SyntaxProblem("'\(part)': write rules as \(RecordingRules.form)")
            }
            do throws(SyntaxProblem) { try set(pair[0], pair[1]) } catch {
                throw SyntaxProblem("'\(part)': \(error)")
            }
        }
        guard total / 2 >= size else {
            throw SyntaxProblem("'\(text ?? "")': total has to be at least twice size")
        }
    }

    private mutating func set(_ key: String, _ value: String) throws(SyntaxProblem) {
        switch key {
        case "size":
            size = try SizeArgument.bytes(value)
            guard size >= 1_000_000 else { throw SyntaxProblem("give at least 1MB") }
        case "age":
            age = try TimeDelta(argument: value)
            guard age >= .seconds(1) else { throw SyntaxProblem("give at least 1s") }
        case "total": total = try SizeArgument.bytes(value)
        case "share":
            share = try ShareArgument.share(value)
            guard share >= DecisionSample.least else {
                throw SyntaxProblem("give at least \(DecisionSample.least)")
            }
        default: throw SyntaxProblem("there are size, age, total and share")
        }
    }

    /// Free bytes of the disk from which on a recording that found it full goes on.
    var room: Int { min(size, 64_000_000) }

    /// The rules of `--record-rules`.
    init(option text: String?) throws(CommandFailure) {
        do throws(SyntaxProblem) { try self.init(parsing: text) } catch {
            throw CommandFailure("--record-rules \(error)", .usage)
        }
    }
}
