using System.IO;
using System.Linq;
using Xunit;
namespace Unikernel.Tests.Restricted;
public class Explore
{
    [Theory]
    [InlineData("Guest.elf", "Release")]
    [InlineData("Guest.linux", "Linux")]
    public void Go(string i, string c)
    {
        var k = new Check(i, c);
        var w = new StringWriter();
        w.WriteLine($"marked methods {k.Marks.Methods.Count(m => m.IsNoAlloc)} found {k.Marked.Count} asm {k.Assembly.Count} taken {k.Taken.Count} reached {k.Walk.Reached.Count()} indirect {k.Walk.Reached.Sum(n => n.Indirect.Count)} violations {k.Walk.Violations.Count}");
        foreach (var s in k.Unknown) { w.WriteLine("unknown " + s); }
        foreach (var v in k.Walk.Violations.OrderBy(v => v.Path.Count)) { w.WriteLine(v.Describe(k.Image)); }
        w.WriteLine("TAKEN");
        foreach (var n in k.Taken) { w.WriteLine(n); }
        w.WriteLine("INDIRECT");
        foreach (var n in k.Walk.Reached.Where(n => n.Indirect.Count > 0)) { w.WriteLine($"{n.Name} " + string.Join(" ", n.Indirect.Select(k.Image.Place))); }
        w.WriteLine("NOT FOUND");
        foreach (var m in k.Marks.Methods.Where(m => m.IsNoAlloc && !k.Marked.Any(n => n.Symbols.Any(s => k.Marks.Find(s) == m)))) { w.WriteLine(m.Symbol); }
        File.WriteAllText("/tmp/out/noalloc/explore." + i, w.ToString());
    }
}
