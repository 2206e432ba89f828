# PowerShell completion for devreg: it asks devreg itself, which answers from what it knows already.
Register-ArgumentCompleter -Native -CommandName devreg -ScriptBlock {
    param($word, $ast, $cursor)
    $length = $cursor - $ast.Extent.StartOffset
    $env:_DEVREG_LINE = $ast.ToString().PadRight($length).Substring(0, $length)
    $env:_DEVREG_COMPLETE = 'powershell'
    try {
        # Where nothing is offered, PowerShell offers files.
        devreg 2>$null | Where-Object { $_ -ne ':files' } | ForEach-Object {
            $name, $meaning = $_ -split "`t", 2
            if (-not $meaning) { $meaning = $name }
            [System.Management.Automation.CompletionResult]::new($name, $name, 'ParameterValue', $meaning)
        }
    }
    finally {
        Remove-Item Env:_DEVREG_COMPLETE, Env:_DEVREG_LINE
    }
}
