import PathLearning
import Testing

@testable import PathwiseCommand

/// `pathwise policies`: what it says of parameters is what their parsers do.
struct PoliciesTests {
    @Test(arguments: PolicySpecification.catalogue.map(\.name))
    func parameters(policy: String) throws {
        let parameters = PolicyParameter.all(of: policy)
        if policy != "single" {
            #expect(parameters.map(\.name) == PolicyParameter.names(of: policy))
        }
        for parameter in parameters {
            let name = "\(policy):\(parameter.name)"
            #expect(!parameter.meaning.isEmpty, "\(name) has no meaning")
            #expect(!parameter.allowed.isEmpty, "\(name) has no allowed values")
            #expect(!parameter.standard.isEmpty, "\(name) has no default")
            let text = policy == "single" ? "single:0" : "\(name)=\(parameter.standard)"
            // Only what differs from the defaults of the settings is in the text.
            let parsed = try PolicySpecification(parsing: text)
            #expect(parsed == (try PolicySpecification(parsing: policy)), "\(text)")
        }
    }

    @Test func listFitsATerminal() throws {
        let run = try Pathwise.run("policies")
        #expect(run.status == 0)
        for policy in PolicySpecification.catalogue {
            #expect(run.output.contains("\n\(policy.name) ") || run.output.hasPrefix(policy.name))
            let text = PoliciesText.details(of: policy)
            #expect(text.split(separator: "\n").allSatisfy { $0.count <= 80 }, "\(policy.name)")
        }
        #expect(run.output.split(separator: "\n").allSatisfy { $0.count <= 80 })
        #expect(run.output.split(separator: "\n").count < 60)
    }

    @Test func oneWithItsParameters() throws {
        let run = try Pathwise.run("policies", "backup")
        #expect(
            run.output == """
                backup: the first working path, which returns after a hold-down.

                Parameters with their defaults:
                  hold=1.5  How long a better path has to work before it is used again, in
                            seconds. Give seconds from 0 to 3600.
                  loss=0.5  Share of packets lost over 5 s above which a path counts as failed.
                            Give a share from 0.001 to 1.

                Example: --policy backup:hold=1.5

                """)
    }

    @Test func json() throws {
        let run = try Pathwise.run("policies", "ecf", "--json")
        let json = try JSONReading(run)
        #expect(try json.text("policies", 0, "name") == "ecf")
        #expect(try json.text("policies", 0, "source") == "Lim 2017")
        #expect(json.optionalText("policies", 0, "start") == nil)
        #expect(try json.text("policies", 0, "parameters", 0, "default") == "0.25")
        #expect(try json.text("policies", 0, "parameters", 0, "allowed") == "a number from 0 to 10")
        #expect(json.optionalText("policies", 0, "parameters", 1, "name") == nil)
        #expect(json.optionalText("policies", 1, "name") == nil)
    }

    @Test func typo() throws {
        let run = try Pathwise.run("policies", "lin-ubc")
        #expect(run.status == 64)
        #expect(
            run.errors == "pathwise: there is no policy \"lin-ubc\": did you mean \"lin-ucb\"?\n")
    }
}
