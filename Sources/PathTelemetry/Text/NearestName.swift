/// Finds what a user may have meant by a name that does not exist.
public enum NearestName {
    /// The name with the least edit distance, if it is close enough.
    public static func find(_ name: String, among names: [String]) -> String? {
        guard name.utf8.count <= 32 else { return nil }
        let ranked = names.map { ($0, editDistance(name, $0)) }
        guard let best = ranked.min(by: { $0.1 < $1.1 }) else { return nil }
        return best.1 <= max(2, best.0.utf8.count / 3) ? best.0 : nil
    }

    /// Levenshtein distance, over bytes.
    private static func editDistance(_ left: String, _ right: String) -> Int {
        let right = Array(right.utf8)
        var row = Array(0...right.count)
        for (i, byte) in left.utf8.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for j in 0..<right.count {
                let substituted = diagonal + (byte == right[j] ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(substituted, row[j] + 1, row[j + 1] + 1)
            }
        }
        return row[right.count]
    }
}
