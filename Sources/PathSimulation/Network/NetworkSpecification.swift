/// Everything that describes a network: each path's own link, the bottlenecks that paths share, and
/// the flows that compete there.
///
/// A packet from the client passes its path's own link and then the shared ones of its route; one
/// from the server passes them in the opposite order.
public struct NetworkSpecification: Sendable, Hashable {
    /// One link for each path.
    public var links: [LinkSpecification]
    /// Links that several paths can pass.
    public var bottlenecks: [LinkSpecification]
    /// For each path the places of its bottlenecks, in the order from client to server; a missing
    /// entry is an empty one.
    public var routes: [[Int]]
    public var cross: [CrossTraffic]

    public init(
        links: [LinkSpecification], bottlenecks: [LinkSpecification] = [], routes: [[Int]] = [],
        cross: [CrossTraffic] = []
    ) {
        self.links = links
        self.bottlenecks = bottlenecks
        self.routes = routes
        self.cross = cross
    }

    /// The hops of a path from client to server: its link, and bottlenecks after all links; a
    /// bottleneck that is not there or was passed already is left out.
    func hops(of path: Int) -> [Int] {
        var hops = [path]
        for place in path < routes.count ? routes[path] : []
        where bottlenecks.indices.contains(place) && !hops.contains(links.count + place) {
            hops.append(links.count + place)
        }
        return hops
    }

    /// The largest IP packet that fits at some time through each hop of a path.
    func maximumPacket(of path: Int) -> Int {
        let all = links + bottlenecks
        return hops(of: path).map {
            min(all[$0].forward.largestPacket, all[$0].backward.largestPacket)
        }.min() ?? 0
    }
}
