/// The ways of packets through a network, by lanes: `2 * hop + direction`.
struct Routes: Sendable {
    private let hopCount: Int
    /// By direction, the first hop of each path.
    private let first: [[Int]]
    /// By direction and path, the hop after each hop; -1 at the end.
    private let onward: [[Int]]
    /// Whether all that arrives at a lane's end is at the end of its path.
    private(set) var isLast: [Bool]

    init(_ specification: NetworkSpecification) {
        let hopCount = specification.links.count + specification.bottlenecks.count
        let forward = specification.links.indices.map { specification.hops(of: $0) }
        // Those that several paths pass belong to one path or another.
        var isLast = (0..<2 * hopCount).map { $0 / 2 < forward.count }
        var first: [[Int]] = []
        var onward: [[Int]] = []
        for direction in LinkDirection.allCases {
            let side = Int(direction.rawValue)
            let routes = forward.map { direction == .forward ? $0 : $0.reversed() }
            var next = [Int](repeating: -1, count: routes.count * hopCount)
            for (path, route) in routes.enumerated() {
                for (hop, after) in zip(route, route.dropFirst()) {
                    next[path * hopCount + hop] = after
                    isLast[2 * hop + side] = false
                }
            }
            first.append(routes.map { $0[0] })
            onward.append(next)
        }
        self.hopCount = hopCount
        self.first = first
        self.onward = onward
        self.isLast = isLast
    }

    /// Notes that not all that a lane carries is at the end of its path.
    mutating func share(_ lane: Int) { isLast[lane] = false }

    /// The lane to which a path's packets of a direction are offered.
    func start(of path: Int, _ direction: LinkDirection) -> Int {
        let side = Int(direction.rawValue)
        return 2 &* first[side][path] &+ side
    }

    /// The lane after one on a path's way; nil at the end.
    func next(of path: Int, after lane: Int) -> Int? {
        let hop = onward[lane & 1][path &* hopCount &+ lane / 2]
        return hop < 0 ? nil : 2 &* hop &+ lane & 1
    }
}
