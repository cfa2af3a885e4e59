import Glibc

/// The memory of a running process, as a core dump would hold it.
struct ProcessMemory {
    /// A range of addresses with the flags that the kernel gives it in smaps.
    struct Region {
        var start: UInt64
        var end: UInt64
        var flags: Set<Substring>

        /// Whether a core dump contains it: it is readable and not MADV_DONTDUMP.
        var isDumped: Bool {
            flags.contains("rd") && !flags.contains("dd") && !flags.contains("io")
        }
        var isLocked: Bool { flags.contains("lo") }
        var isWipedOnFork: Bool { flags.contains("wf") }
    }

    let process: pid_t
    let regions: [Region]

    init(process: pid_t) {
        self.process = process
        var regions: [Region] = []
        for line in text(of: "/proc/\(process)/smaps").split(separator: "\n") {
            let words = line.split(separator: " ")
            if let bounds = words.first?.split(separator: "-"), bounds.count == 2,
                let start = UInt64(bounds[0], radix: 16), let end = UInt64(bounds[1], radix: 16)
            {
                regions.append(Region(start: start, end: end, flags: []))
            } else if words.first == "VmFlags:", !regions.isEmpty {
                regions[regions.count - 1].flags = Set(words.dropFirst())
            }
        }
        self.regions = regions
    }

    func region(of address: UInt64) -> Region? {
        regions.first { $0.start <= address && address < $0.end }
    }

    /// How often each run of bytes occurs in the regions.
    func count(_ needles: [[UInt8]], in regions: [Region]) -> [Int] {
        var counts = [Int](repeating: 0, count: needles.count)
        let file = open("/proc/\(process)/mem", O_RDONLY)
        guard file >= 0 else { return counts }
        defer { close(file) }
        var piece = [UInt8](repeating: 0, count: 1 << 20)
        for region in regions {
            var at = region.start
            while at < region.end {
                let wanted = min(piece.count, Int(region.end - at))
                let got = pread(file, &piece, wanted, Int(bitPattern: UInt(at)))
                if got <= 0 { break }
                for (index, needle) in needles.enumerated() {
                    counts[index] += occurrences(of: needle, in: piece, count: got)
                }
                // The next piece overlaps, so that no match is missed at the border.
                let isLast = got < wanted || at + UInt64(got) >= region.end
                at += isLast ? UInt64(wanted) : UInt64(max(1, got - 64))
            }
        }
        return counts
    }

    private func occurrences(of needle: [UInt8], in bytes: [UInt8], count: Int) -> Int {
        bytes.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress, let first = needle.first else { return 0 }
            var found = 0
            var at = 0
            while at + needle.count <= count,
                let hit = memchr(base + at, Int32(first), count - needle.count - at + 1)
            {
                if memcmp(hit, needle, needle.count) == 0 { found += 1 }
                at = UnsafeRawPointer(hit) - base + 1
            }
            return found
        }
    }
}
