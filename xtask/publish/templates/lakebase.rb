# Written by `cargo xtask dist homebrew`.
class Lakebase < Formula
  desc "{{description}}"
  homepage "{{homepage}}"
  url "{{url}}/{{archive}}"
  version "{{version}}"
  sha256 "{{sha256}}"
  license any_of: ["MIT", "Apache-2.0"]

  depends_on arch: :x86_64
  depends_on :linux

  def install
    bin.install "lakebase"
    man1.install Dir["man/*.1"]
    bash_completion.install "completions/lakebase.bash" => "lakebase"
    fish_completion.install "completions/lakebase.fish"
    zsh_completion.install "completions/_lakebase"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/lakebase --version")
  end
end
