//! What the caller puts into a Dockerfile: another base, and variables that every stage begins with.

use super::file::Dockerfile;
use super::instruction::{Command, Instruction, Pairs};
use super::words::Word;

impl Dockerfile {
    /// Makes the first FROM begin with another image.
    pub(crate) fn set_base(&mut self, image: &str) {
        if let Some(stage) = self.stages.first_mut() {
            let span = stage.from.image.span;
            // A dollar sign in it is no variable of the file's.
            stage.from.image = Word { text: quoted(image), span };
        }
    }

    /// Makes every stage begin with these variables, as an ENV right after its FROM does.
    /// Source: buildah, `imagebuildah/executor.go`.
    pub(crate) fn set_variables(&mut self, variables: &[(String, String)]) {
        if variables.is_empty() {
            return;
        }
        for stage in &mut self.stages {
            let from = &stage.instruction;
            let word = |text: String| Word { text, span: from.span };
            // In the case of FROM, so that no check finds a mixture.
            let is_lower = from.name.text.chars().all(char::is_lowercase);
            let name = if is_lower { "env" } else { "ENV" };
            let pairs = variables.iter().map(|(name, value)| (word(quoted(name)), word(quoted(value))));
            let shown: Vec<String> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let instruction = Instruction {
                name: word(name.to_owned()),
                span: from.span,
                text: format!("{name} {}", shown.join(" ")),
                comments: Vec::new(),
                empty_continuation: None,
                looks_like_json: false,
                command: Command::Env(Pairs { pairs: pairs.collect(), is_legacy: false }),
            };
            stage.instructions.insert(0, instruction);
        }
    }
}

/// A text that expands to itself.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\"'\"'"))
}

#[cfg(test)]
mod tests {
    use super::super::evaluate::{Extent, evaluate};
    use super::super::scope::Inputs;
    use super::super::source::Source;
    use super::super::stages::Base;
    use super::*;

    #[test]
    fn the_base_and_the_variables_of_a_file_are_those_of_the_caller() {
        let source = Source::new("Dockerfile", "from a as one\nrun x\nfrom one\nenv C=$A\n");
        let mut file = Dockerfile::read(&source).expect("a file");
        file.set_base("b:1");
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        file.set_variables(&[pair("A", "$x 'y' \"z\" \\"), pair("B", "")]);
        let plan = evaluate(&file, &Inputs::default(), &|_, _| None, None, Extent::All).expect("a plan");
        assert!(matches!(&plan.graph.nodes[0].base, Base::Image { name, .. } if name == "b:1"), "{:?}", plan.graph);
        let env = &plan.stages[&1].settings.env;
        assert_eq!(env[1..], ["A=$x 'y' \"z\" \\", "B=", "C=$x 'y' \"z\" \\"]);
        assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
    }
}
