import Glibc
import PathTelemetry
import Testing

@testable import Pathwise

/// Mutants of a usage file: each is read as counts that are written back equally, or refused with
/// its name and a line.
struct UsageFuzzTests {
    @Test func mutants() throws {
        let base = UInt64(getenv("PATHWISE_FUZZ_FIRST").flatMap { Int(String(cString: $0)) } ?? 0)
        let count = getenv("PATHWISE_FUZZ").flatMap { Int(String(cString: $0)) } ?? 3000
        let original =
            "pathwise-usage 1\n2026-11-28 00000000000000123456 00000000000000000789\n"
            + "2026-11-29 5 6\n"
        var refused = 0
        for number in base..<base + UInt64(count) {
            var mutator = TextMutator(
                words: ["pathwise-usage 1", "2026-11-29", "2028-02-29", " ", "\n", "0000"],
                seed: number)
            let mutant = mutator.mutant(of: original)
            do throws(UsageError) {
                let days = try UsageFile.parse(mutant, path: "/state/usage/lte")
                let lines = mutant.split(separator: 10)
                #expect(days.count == max(0, lines.count - 1), "seed \(number)")
                for (row, line) in zip(days, lines.dropFirst()) {
                    let words = String(decoding: line, as: UTF8.self).split(separator: " ")
                    #expect(words[0] == row.day.description, "seed \(number)")
                    #expect(UInt64(words[1]) == row.count.sent, "seed \(number)")
                    #expect(UInt64(words[2]) == row.count.received, "seed \(number)")
                }
            } catch {
                refused += 1
                #expect("\(error)".hasPrefix("/state/usage/lte, line "), "seed \(number)")
            }
        }
        #expect(refused > count / 4 && refused < count, "\(refused) of \(count) refused")
    }
}
